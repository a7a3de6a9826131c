"""The folder of runs: which one a person means, and how runs come into it and leave it."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from attention_zoo import UsageError
from lra.results.record import FAILURE, RECORD, RUNS, record_file, run_folders
from lra.system.files import sync_folder
from lra.system.locks import LOCK, is_locked, locked

NAMED = 8  # candidates that an error names


def find_run(name: str, results: Path) -> Path:
    """The folder of one run on record, given as a path, as its name under `results/runs`, or as
    the beginning of that name or of the run's identity, where no other begins so."""
    for folder in (results / RUNS / name, Path(name)):
        if name and record_file(folder):
            return folder
    folders = [folder for folder in run_folders(results) if record_file(folder)]
    found = [folder for folder in folders if folder.name.startswith(name)] or [
        folder for folder in folders if _identity(folder).startswith(name)
    ]
    if not name or not found:
        raise UsageError(
            f"no run {name!r} in {results / RUNS}: neither a folder with {RECORD} or {FAILURE} "
            "nor the beginning of a run's name or identity (`results list` names them)"
        )
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found[:NAMED])
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise UsageError(f"{name!r} is the beginning of {len(found)} runs: {names}{more}")
    return found[0]


def _identity(folder: Path) -> str:
    """What its record says, without checking the rest; nothing where that is damaged."""
    try:
        return str(json.loads(record_file(folder).read_bytes())["identity"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return ""


def aside(folder: Path) -> Path:
    """Where a run's folder is while it is made or deleted: no reader sees it."""
    return folder.with_name(f".{folder.name}.aside")


@contextmanager
def changing(runs: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """For one process at a time to bring runs in or out; what an earlier one that was killed left
    aside is deleted."""
    with locked(runs / LOCK, waiting):
        for folder in runs.glob(".*.aside"):
            _delete(folder)
        yield


def require_idle(folder: Path) -> None:
    """Raises UsageError where a process works on a run."""
    if is_locked(folder / LOCK):
        raise _in_use(folder)


@contextmanager
def idle(folder: Path) -> Iterator[None]:
    """Keeps processes from working on a run; UsageError, without waiting, where one does."""

    def refuse(_: str) -> NoReturn:
        raise _in_use(folder)

    with locked(folder / LOCK, refuse):
        yield


def _in_use(folder: Path) -> UsageError:
    return UsageError(f"{folder} is in use by another process; wait for it, or stop it")


def remove(folder: Path, waiting: Callable[[str], None]) -> None:
    """Deletes a run with all its files: it is there, or it is gone, and never in part."""
    folder = Path(os.path.abspath(folder))
    with changing(folder.parent, waiting):
        with idle(folder):
            os.rename(folder, aside(folder))
        sync_folder(folder.parent)
        _delete(aside(folder))


def _delete(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)
