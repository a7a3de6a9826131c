"""Brings the runs of several results folders together, each whole or not at all.

A run is its record: the same record is never there twice, and a different one, if only of another
machine, is never left out, whatever the order. So merging again changes nothing, and merging that
was cut short is simply repeated.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

from attention_zoo import UsageError
from lra.journal import UNFINISHED
from lra.results.record import RECORD, RUNS, Failure, read_run, record_file, run_folders
from lra.results.runs import aside, changing, idle
from lra.system.files import fingerprint, sync_folder, whole
from lra.system.locks import LOCK, is_locked

SUFFIX = re.compile("~[0-9a-f]{8}$")  # of a second record of a run, in a folder of its own
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)  # a rename onto what is there


@dataclass(frozen=True)
class Merged:
    """came: the folders that were made. there: of runs that were on record before. skipped: what
    was not taken, and why. unfinished: runs that came or were there without the training that
    still goes on in their source."""

    came: list[Path] = field(default_factory=list)
    there: list[Path] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)


def merge(sources: Sequence[Path], results: Path, waiting: Callable[[str], None]) -> Merged:
    """Copies what `results` lacks of the runs of `sources`: results folders, `runs` folders or
    folders of one run. UsageError, before anything is copied, for a source that is none of them."""
    folders = [folder for source in sources for folder in _runs_of(source, results)]
    came, there, skipped, unfinished = [], [], [], []
    with changing(results / RUNS, waiting):
        known = {_key(folder): folder for folder in run_folders(results) if record_file(folder)}
        for folder in folders:
            try:
                key = _fit(folder)
                if key in known:
                    there.append(key)
                else:
                    _bring(folder, key, results / RUNS, known)
                    came.append(key)
            except UsageError as error:
                skipped.append(f"{folder}: {error}")
                continue
            if (folder / UNFINISHED).exists():
                unfinished.append(folder)
    return Merged([known[key] for key in came], [known[key] for key in there], skipped, unfinished)


def _runs_of(source: Path, results: Path) -> list[Path]:
    if not source.is_dir():
        raise UsageError(f"{source} is {'no folder' if source.exists() else 'not there'}")
    if record_file(source):
        return [source]
    runs = source / RUNS if (source / RUNS).is_dir() else source
    if (results / RUNS).exists() and runs.samefile(results / RUNS):
        raise UsageError(f"{source} is where its runs would be merged into")
    found = [path for path in sorted(runs.iterdir()) if not path.name.startswith(".")]
    if runs == source and not any(map(record_file, found)):
        raise UsageError(
            f"{source} is neither a folder of results (it has no {RUNS}), nor one of runs, nor a "
            "run on record"
        )
    return found


def _fit(folder: Path) -> str:
    """The key of a run that can be taken; UsageError, why something in a folder of runs cannot."""
    if not folder.is_dir():
        raise UsageError("no folder of a run")
    if is_locked(folder / LOCK):
        raise UsageError("a process is working on it; merge again when it has ended")
    found = next(read_run(folder), None)
    if isinstance(found, UsageError):
        raise UsageError(str(found).removeprefix(f"{folder}{os.sep}"))
    if found is None:
        unfinished = (folder / UNFINISHED).exists()
        raise UsageError(
            "unfinished, go on with it where it is" if unfinished else "holds no record"
        )
    return _key(folder)


def _key(folder: Path) -> str:
    """What tells a record from every other: its content, however it is spelt; of a damaged one,
    which nothing equals, its path."""
    file = record_file(folder) or folder
    try:
        return fingerprint(json.loads(file.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return str(file)


def _bring(folder: Path, key: str, runs: Path, known: dict[str, Path]) -> None:
    """Copies a run to its name under `runs`, or beside the one that has it; on an error, a full
    disk say, neither is there."""
    plain = runs / SUFFIX.sub("", folder.name)
    copy = aside(plain)
    try:
        _copy(folder, copy)
        if _fit(folder) != key:
            raise UsageError("it changed while it was copied; merge again")
        if record_file(copy).name == RECORD:
            _make_way(plain, known)
        known[key] = _put(copy, plain, _beside(plain, key))
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    sync_folder(runs)


def _make_way(plain: Path, known: dict[str, Path]) -> None:
    """Moves a failure beside its name, under which a grid looks for the result that comes; not one
    that a process works on or can go on with."""
    if not isinstance(next(read_run(plain), None), Failure):
        return
    key = _key(plain)
    with suppress(UsageError), idle(plain):
        if _key(plain) == key and not (plain / UNFINISHED).exists():
            known[key] = _put(plain, _beside(plain, key))


def _beside(plain: Path, key: str) -> Path:
    return plain.with_name(f"{plain.name}~{key[:8]}")


def _put(folder: Path, *places: Path) -> Path:
    """Renames a folder to the first place that nothing has; UsageError where there is none."""
    for place in places:
        try:
            os.rename(folder, place)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
        else:
            return place
    raise UsageError(f"{places[-1]} is in its way")


def _copy(folder: Path, place: Path) -> None:
    """UsageError for what of a run cannot be opened."""
    for source, name in _files(folder):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with _opened(source) as file, whole(target) as copy:
            shutil.copyfileobj(file, copy)
        shutil.copystat(source, target)


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise UsageError(f"{os.path.basename(error.filename)}: {error.strerror}") from error


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A run's files, each with its name in the folder: without locks, what was cut off, and what
    is unfinished."""
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        here = Path(parent)
        if here == folder and UNFINISHED in folders:
            folders.remove(UNFINISHED)
        for name in files:
            if name != LOCK and not name.endswith(".partial"):
                yield here / name, (here / name).relative_to(folder)
