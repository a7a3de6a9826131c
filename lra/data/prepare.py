"""From a task's settings and files to its data on disk."""

import errno
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from attention_zoo import UsageError
from lra.data.brought import Brought
from lra.data.contents import contents_of
from lra.data.dataset import Dataset, Settings
from lra.data.official import folder_of, require_folder
from lra.data.store import Split, Store, open_store
from lra.data.writer import write_store, written
from lra.system.files import fingerprint
from lra.system.locks import LOCK, locked

PREPARED = "prepared"  # the folder, in the data folder


@dataclass(frozen=True)
class Source:
    """Where a task's data come from: settings with a source that is decided, and its files."""

    task: Dataset
    settings: Settings
    data_dir: Path
    files: dict[str, Path]

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What decides the data, and so their fingerprint."""
        cache = self.data_dir / PREPARED
        contents = {name: contents_of(path, cache) for name, path in self.files.items()}
        return {
            "task": self.task.metadata.name,
            "version": self.task.metadata.version,
            "source": self.settings.source,
            "settings": self.settings.deciding,
        } | ({"files": contents} if contents else {})

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.recipe)

    @property
    def folder(self) -> Path | None:
        """Where the official files were found; None for other data."""
        return folder_of(self.files) if self.files else None

    @property
    def path(self) -> Path:
        return self.data_dir / PREPARED / self.fingerprint

    @property
    def words(self) -> str:
        """Which data these are, and where they were found."""
        where = f" from {self.folder}" if self.folder else ", not official files"
        return f"{self.task.metadata.name}: {self.settings.source} data{where}"


def find_source(task: Dataset, settings: Settings, data_dir: Path) -> Source:
    """The official files where the settings allow them and `data_dir` has them, else a generator.

    Raises UsageError where they are needed and missing, and where something lies there that seems
    to be meant for them: no other data are drawn in its stead.
    """
    require_folder(data_dir)
    name, instead = task.metadata.name, "generated" if task.generates else "sample"
    if settings.source in ("auto", "official") and task.official:
        files = task.official(data_dir, settings)
        if files:
            return Source(task, replace(settings, source="official"), data_dir, files)
        brought = Brought(task, settings, data_dir)
        problem = brought.obstacle()
        if packed := brought.archive():
            words = f"--task {name} --data-dir {shlex.quote(str(data_dir))}"
            problem = (
                f"{packed} is the archive of the official files, not unpacked: `python run_lra.py "
                f"prepare {words}` unpacks it"
            )
        if problem:
            raise UsageError(f"{problem}; --source {instead} does without official files")
        if settings.source == "official" or not task.generates:
            raise UsageError(
                f"{data_dir} does not hold the official files of {name}: `python run_lra.py "
                f"prepare --task {name}` says what to bring, and with --download brings it; "
                f"--data-dir names another folder, --source {instead} does without"
            )
    made = "generated" if settings.source == "auto" and task.generates else settings.source
    return Source(task, replace(settings, source=made), data_dir, {})


def prepare(
    source: Source,
    say: Callable[[str], None],
    workers: int | None = None,
    *,
    verify: bool = True,
) -> Store:
    """The verified store at `source.path`, made if missing, by one process at a time.

    What stands there and does not verify raises UsageError; nothing is overwritten. verify: False
    where this command has verified it.
    """
    path = source.path
    if not path.exists():
        try:
            with locked(path.with_name(f".{path.name}{LOCK}"), say):
                for partial in path.parent.glob(f".{path.name}.*.partial"):
                    shutil.rmtree(partial)  # of a process that was killed: we hold the lock
                if not path.exists():
                    _make(source, workers)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS):
                raise
            raise UsageError(
                f"{source.data_dir} cannot be written to, and prepared data go there; link the "
                "files into a folder of your own and give that as --data-dir"
            ) from error
    return verified(source, verify=verify)


def verified(source: Source, *, verify: bool = True) -> Store:
    """The store at `source.path`; UsageError where it is missing, damaged or too long."""
    store = open_store(source.path, source.recipe, verify=verify)
    longest = max(int(split.lengths.max()) for split in store.splits.values())
    if longest > source.settings.max_len:
        raise UsageError(
            f"the data in {source.folder or source.data_dir} have sequences of {longest:,} tokens: "
            "set task.max_length, and model.positions, to more"
        )
    return store


def shared(splits: dict[str, Split]) -> list[str]:
    """A line for every two splits that have examples in common, as official files may."""
    members = {name: set(map(tuple, split.members.tolist())) for name, split in splits.items()}
    return [
        f"{count:,} distinct examples of {second} stand in {first}, too"
        for first, second in combinations(splits, 2)
        if (count := len(members[first] & members[second]))
    ]


def _make(source: Source, workers: int | None) -> None:
    task = source.task
    with written(source.path, workers) as writer:
        splits = writer.splits(task.examples(source.settings, source.files, writer))
        writer.notes += shared(splits)
        if replace(source).recipe != source.recipe:
            raise UsageError(
                f"the files in {source.folder} changed while they were read; try again"
            )
        write_store(writer, source.recipe, splits, task.baselines(splits))
