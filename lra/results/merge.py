"""Brings the runs of several results folders together, each whole or not at all.

A run is its record: the same record is never there twice, and a different one, if only of another
machine, is never left out, whatever the order. So merging again changes nothing, and merging that
was cut short is simply repeated.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from attention_zoo import UsageError
from lra.journal import UNFINISHED
from lra.results.record import RUNS, read_run, record_file, run_folders
from lra.results.runs import aside, changing
from lra.system.files import fingerprint, sync_folder, whole
from lra.system.locks import LOCK, is_locked

SUFFIX = re.compile("~[0-9a-f]{8}$")  # of a second record of a run, in a folder of its own


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
    merged = Merged()
    with changing(results / RUNS, waiting):
        known = {_key(file): file.parent for file in map(record_file, run_folders(results)) if file}
        for folder in folders:
            if reason := _unfit(folder):
                merged.skipped.append(f"{folder}: {reason}")
                continue
            key = _key(record_file(folder))
            if key in known:
                merged.there.append(known[key])
            else:
                base = SUFFIX.sub("", folder.name)
                places = [results / RUNS / name for name in (base, f"{base}~{key[:8]}")]
                place = next((place for place in places if not os.path.lexists(place)), None)
                if place is None:
                    merged.skipped.append(f"{folder}: {places[1]} is in its way")
                    continue
                try:
                    _copy(folder, place)
                except UsageError as error:
                    merged.skipped.append(f"{folder}: {error}")
                    continue
                known[key] = place
                merged.came.append(place)
            if (folder / UNFINISHED).exists():
                merged.unfinished.append(folder)
    return merged


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


def _unfit(folder: Path) -> str | None:
    """Why something in a folder of runs is not taken."""
    if not folder.is_dir():
        return "no folder of a run"
    if is_locked(folder / LOCK):
        return "a process is working on it; merge again when it has ended"
    found = next(read_run(folder), None)
    if isinstance(found, UsageError):
        return str(found).removeprefix(f"{folder}{os.sep}")
    if found is None:
        unfinished = (folder / UNFINISHED).exists()
        return "unfinished, go on with it where it is" if unfinished else "holds no record"
    return None


def _key(file: Path) -> str:
    """What tells a record from every other: its content, however it is spelt; of a damaged one,
    which nothing equals, its path."""
    try:
        return fingerprint(json.loads(file.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return str(file)


def _copy(folder: Path, place: Path) -> None:
    """Copies a run to where no folder is yet; on an error, a full disk say, there still is none.

    UsageError for a file of it that cannot be opened."""
    try:
        for source, name in _files(folder):
            target = aside(place) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with _opened(source) as file, whole(target) as copy:
                shutil.copyfileobj(file, copy)
            shutil.copystat(source, target)
        os.rename(aside(place), place)
    except BaseException:
        shutil.rmtree(aside(place), ignore_errors=True)
        raise
    sync_folder(place.parent)


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"{path.name}: {error.strerror}") from error


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A run's files, each with its name in the folder: without locks, what was cut off, and what
    is unfinished."""
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        if here == folder and UNFINISHED in folders:
            folders.remove(UNFINISHED)
        for name in files:
            if name != LOCK and not name.endswith(".partial"):
                yield here / name, (here / name).relative_to(folder)
