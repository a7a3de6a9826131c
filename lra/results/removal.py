"""Deleting a run: it is there, or it is gone, and never in part."""

import os
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import NoReturn

from attention_zoo import UsageError
from lra.results.layout import (
    ANALYSIS,
    CORRUPTIONS,
    FAILURE,
    FINISHED,
    JOURNAL,
    LOG,
    RESULT,
    RUNS,
    UNFINISHED,
)
from lra.system.files import sync_folder
from lra.system.locks import LOCK, is_locked, locked
from lra.training.metrics import TENSORBOARD

_TRAINING = (*RESULT, JOURNAL, "*.state", "*.state.new", ".*.partial")
# By folder, what a run leaves there.
OURS = {
    ".": (*RESULT, FAILURE, CORRUPTIONS, ANALYSIS, LOG, LOCK, ".*.partial"),
    UNFINISHED: _TRAINING,
    FINISHED: _TRAINING,
    TENSORBOARD: ("events.out.tfevents.*", "hparams.yaml"),
}


def own_run(folder: Path, results: Path) -> Path:
    """The resolved folder of a run; UsageError unless it is one of `results` itself and holds
    nothing but what a run leaves there."""
    found, runs = folder.resolve(), (results / RUNS).resolve()
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link; give the folder itself")
    if found.parent != runs or found.name != folder.name or found.name.startswith("."):
        raise UsageError(
            f"{folder} is not a run of {results / RUNS} (`results list` names them); for those of "
            "another folder of results, give --results"
        )
    _require_no_foreign(found)
    return found


def _require_no_foreign(folder: Path) -> None:
    for below, names in OURS.items():
        for path in sorted((folder / below).glob("*")):
            ours = path.is_file() and any(fnmatch(path.name, name) for name in names)
            ours |= path.is_dir() and path.parent == folder and path.name in OURS
            if path.is_symlink() or not ours:
                raise UsageError(f"{path} is not a run's file; move it elsewhere first")


def require_idle(folder: Path) -> None:
    """Raises UsageError where a process works on a run."""
    if is_locked(folder / LOCK):
        _refuse(folder)


def _refuse(folder: Path) -> NoReturn:
    raise UsageError(f"{folder} is in use by another process; wait for it, or stop it")


def remove(folder: Path, waiting: Callable[[str], None]) -> None:
    """Deletes a run, as `own_run` gives it, and what an earlier removal that was killed left."""
    runs, aside = folder.parent, folder.with_name(f".{folder.name}.aside")
    with locked(runs / LOCK, waiting):
        for left in runs.glob(".*.aside"):
            shutil.rmtree(left)
        with locked(folder / LOCK, lambda _: _refuse(folder)):
            _require_no_foreign(folder)
            os.rename(folder, aside)
        sync_folder(runs)
        shutil.rmtree(aside)
