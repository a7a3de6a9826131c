"""The folder of a run: its result stands there whole, wherever its end is cut off."""

import contextlib
import os
import shutil
from pathlib import Path

from attention_zoo import UsageError
from lra.config import RunConfig
from lra.results.layout import FAILURE, FINISHED, RECORD, RESULT, UNFINISHED, result_file
from lra.results.record import Record, read_record
from lra.system.files import sync_folder


def is_recorded(directory: Path) -> bool:
    return result_file(directory, RECORD).exists()


def recorded(config: RunConfig, results: Path) -> Record | None:
    """The run's record where there is one; UsageError where it is damaged."""
    directory = config.directory(results)
    if not is_recorded(directory):
        return None
    try:
        return read_record(result_file(directory, RECORD))
    except UsageError as error:
        raise UsageError(f"{error}; move it away, and the run is made anew") from error


def clean(directory: Path) -> None:
    """Puts in order what a killed process left behind; we hold the lock."""
    settle(directory)
    for folder in (directory, directory / UNFINISHED):
        for partial in folder.glob(".*.partial"):
            partial.unlink()


def seal(directory: Path) -> None:
    """Makes what is in `unfinished` the run's result, by one rename that replaces an older one."""
    os.replace(directory / UNFINISHED, directory / FINISHED)
    sync_folder(directory)
    settle(directory)


def settle(directory: Path) -> None:
    """Moves a result that counts to its place; whoever looks meanwhile asks `result_file`."""
    finished = directory / FINISHED
    if finished.exists():
        (directory / FAILURE).unlink(missing_ok=True)
        for name in RESULT:
            with contextlib.suppress(FileNotFoundError):
                os.replace(finished / name, directory / name)
        sync_folder(directory)
        shutil.rmtree(finished)
