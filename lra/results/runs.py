"""The folder of runs: which there are, and which one a person means."""

import json
from collections.abc import Iterator
from pathlib import Path

from attention_zoo import UsageError
from lra.results.record import FAILURE, RECORD

RUNS = "runs"
LISTED = 8  # candidates that an error names


def run_folders(results: Path) -> Iterator[Path]:
    """The folders under `results/runs` that hold a record or a failure, in their names' order."""
    for folder in sorted((results / RUNS).glob("[!.]*")):
        if on_record(folder):
            yield folder


def on_record(folder: Path) -> bool:
    return (folder / RECORD).is_file() or (folder / FAILURE).is_file()


def find_run(name: str, results: Path) -> Path:
    """The folder of one run on record, given as a path, as its name under `results/runs`, or as
    the beginning of that name or of the run's identity, where no other begins so."""
    for folder in (results / RUNS / name, Path(name)):
        if name and on_record(folder):
            return folder
    folders = list(run_folders(results))
    found = [folder for folder in folders if folder.name.startswith(name)] or [
        folder for folder in folders if identity_of(folder).startswith(name)
    ]
    if not name or not found:
        raise UsageError(
            f"no run {name!r} in {results / RUNS}: neither a folder with {RECORD} or {FAILURE} "
            "nor the beginning of a run's name or identity (`results list` names them)"
        )
    if len(found) > 1:
        raise UsageError(f"{name!r} is the beginning of {len(found)} runs: {_some(found)}")
    return found[0]


def identity_of(folder: Path) -> str:
    """What its record says, without reading the rest; nothing where that is damaged."""
    path = folder / RECORD if (folder / RECORD).exists() else folder / FAILURE
    try:
        return str(json.loads(path.read_bytes())["identity"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return ""


def _some(folders: list[Path]) -> str:
    names = [folder.name for folder in folders[:LISTED]]
    more = len(folders) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
