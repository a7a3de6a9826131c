"""From a task's settings and files to its data on disk."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from attention_zoo import UsageError
from lra.data.store import Split, Store, open_store, write_store
from lra.system.files import fingerprint, sha256_of
from lra.system.locks import LOCK, locked
from lra.tasks import Task


@dataclass(frozen=True)
class Source:
    """Where a task's data come from: settings with a source that is decided, and its files."""

    task: Task
    settings: Any
    data_dir: Path
    files: dict[str, Path]

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What decides the data, and so their fingerprint."""
        contents = {split: _sha256(file, *_state(file)) for split, file in self.files.items()}
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
    def path(self) -> Path:
        return self.data_dir / "prepared" / self.fingerprint


def find_source(task: Task, settings: Any, data_dir: Path) -> Source:
    """The official files where the settings allow them and `data_dir` has them, else a generator.

    Raises UsageError where they are asked for and missing.
    """
    files = task.official(data_dir) if settings.source != "generated" else {}
    if settings.source == "official" and not files:
        raise UsageError(
            f"task.source=official: {data_dir} does not hold the official files of "
            f"{task.metadata.name} ({task.metadata.source}); --data-dir names their folder"
        )
    decided = replace(settings, source="official" if files else "generated")
    return Source(task, decided, data_dir, files)


def prepare(source: Source, say: Callable[[str], None], workers: int | None = None) -> Store:
    """The verified store at `source.path`, made if missing, by one process at a time.

    What stands there and does not verify raises UsageError; nothing is overwritten.
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
    store = open_store(path, source.recipe)
    longest = max(int(split.lengths.max()) for split in store.splits.values())
    if longest > source.settings.max_len:
        raise UsageError(
            f"the data in {source.data_dir} have sequences of {longest:,} tokens: set "
            "task.max_length, and model.positions, to more"
        )
    return store


def _make(source: Source, workers: int | None) -> None:
    examples = source.task.examples(source.settings, source.files, workers)
    splits = {name: Split.of(examples.pop(name)) for name in tuple(examples)}
    if replace(source).recipe != source.recipe:
        raise UsageError(f"the files in {source.data_dir} changed while they were read; try again")
    write_store(source.path, source.recipe, splits, source.task.baselines(splits))


def _state(file: Path) -> tuple[int, int]:
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns


@lru_cache
def _sha256(file: Path, size: int, modified: int) -> str:
    return sha256_of(file)
