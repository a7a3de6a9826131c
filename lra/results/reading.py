"""What is on record in folders of results, and which run a person means."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attention_zoo import UsageError
from attention_zoo.errors import quoted
from lra.results.analysis import Analysis, read_analysis
from lra.results.corruptions import Corruptions, read_corruptions
from lra.results.curves import Curve, read_curve
from lra.results.layout import FAILURE, RECORD, RUNS, result_file
from lra.results.record import Failure, Record, read_record

Results = Path | Sequence[Path]
NAMED = 8  # candidates that an error names


@dataclass(frozen=True)
class Run:
    """A record, the name of its folder and, where they were read, its learning curve, what is on
    record of it under corruptions and what `analyze` found."""

    name: str
    record: Record | Failure
    curve: Curve = field(default=Curve(()))
    corruptions: Corruptions | None = None
    analysis: Analysis | None = None


def read_records(results: Results) -> Iterator[Record | Failure | UsageError]:
    """Each run's record, or of its failure where that is all there is; errors for those that are
    none. A run that was copied from one folder to another counts once."""
    for _, record in runs_on_record(results):
        yield record


def runs_on_record(results: Results) -> Iterator[tuple[Path, Record | Failure | UsageError]]:
    """What `read_records` gives, each with the folder of its run, in the order of their paths."""
    seen: dict[str, list[Record | Failure]] = {}
    for folder in run_folders(results):
        for record in read_run(folder):
            if not isinstance(record, UsageError):
                same_run = seen.setdefault(record.identity, [])
                if record in same_run:
                    continue
                same_run.append(record)
            yield folder, record


def read_runs(results: Results, tasks: Sequence[str] | None = None) -> tuple[list[Run], list[str]]:
    """The runs on record of those tasks (None: all), and a line for each file that is damaged,
    with its path under its folder of results: the page is for others."""
    runs: dict[str, Run] = {}
    damaged = []
    for folder, record in runs_on_record(results):
        if isinstance(record, UsageError):
            damaged.append(under(folder, record))
        elif tasks is None or record.task in tasks:
            name = folder.name
            while name in runs:  # other results of a run, from another folder
                name += "'"
            curve = read_curve(folder)
            missing = curve.missing and curve.missing.replace(f"{folder}{os.sep}", "")
            beside: list[Any] = []
            for read in (read_corruptions, read_analysis):
                try:
                    beside.append(read(folder, record) if isinstance(record, Record) else None)
                except UsageError as error:
                    damaged.append(under(folder, error))
                    beside.append(None)
            runs[name] = Run(name, record, replace(curve, missing=missing), *beside)
    return list(runs.values()), damaged


def under(folder: Path, error: UsageError) -> str:
    """What an error says, with paths under the results of the run's folder."""
    return str(error).replace(f"{folder.parents[1]}{os.sep}", "")


def disagreements(runs: Iterable[tuple[Path, Record | Failure]]) -> Iterator[str]:
    """A line for each result of a run that is not what its first one is."""
    first: dict[str, tuple[Path, Record]] = {}
    for folder, record in runs:
        if isinstance(record, Record):
            place, other = first.setdefault(record.identity, (folder, record))
            if record.test.accuracy != other.test.accuracy:
                yield (
                    f"{place} and {folder} have different results of one run: tables count the one "
                    "that finished last"
                )


def read_run(directory: Path) -> Iterator[Record | Failure | UsageError]:
    """What is on record of the run in a folder; nothing where nothing is."""
    path = record_file(directory)
    if path:
        try:
            yield read_record(path)
        except UsageError as error:
            if path.exists():
                yield error
            else:  # a process moved it since
                yield from read_run(directory)


def run_folders(results: Results) -> list[Path]:
    """The folders of runs, on record or not, in the order of their names. Those that begin with a
    dot are on their way out."""
    if not isinstance(results, Path):
        return [folder for one in results for folder in run_folders(one)]
    runs = results / RUNS
    try:
        with os.scandir(runs) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []
    return [runs / name for name in sorted(names) if not name.startswith(".")]


def record_file(directory: Path) -> Path | None:
    """The file that says how the run in a folder ended: its record, else its failure."""
    for path in (result_file(directory, RECORD), directory / FAILURE):
        if os.path.exists(path):
            return path
    return None


def find_run(name: str, results: Results) -> Path:
    """The folder of one run on record, given as a path, as its name under `results/runs`, or as
    the beginning of that name or of the run's identity, where no other begins so. Of copies in
    several folders of results, the first."""
    places = [one / RUNS for one in ([results] if isinstance(results, Path) else results)]
    for folder in (*(place / name for place in places), Path(name)):
        if name and record_file(folder):
            return folder
    folders = {folder.name: folder for folder in reversed(run_folders(results))}
    folders = [folder for _, folder in sorted(folders.items()) if record_file(folder)]
    found = [folder for folder in folders if folder.name.startswith(name)] or [
        folder for folder in folders if _identity(folder).startswith(name)
    ]
    if not name or not found:
        raise UsageError(
            f"no run {quoted(name)} in {', '.join(map(str, places))}: neither a folder with "
            f"{RECORD} or {FAILURE} nor the beginning of a run's name or identity (`results list` "
            "names them)"
        )
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found[:NAMED])
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise UsageError(f"{quoted(name)} is the beginning of {len(found)} runs: {names}{more}")
    return found[0]


def find_finished(name: str, results: Results) -> Path:
    """The folder of a run with a result, given as `find_run` takes it."""
    folder = find_run(name, results)
    if not result_file(folder, RECORD).is_file():
        raise UsageError(
            f"{folder} has no finished run, only the record of its failure (`results show` has the "
            "reason)"
        )
    return folder


def _identity(folder: Path) -> str:
    """What its record says, without checking the rest; nothing where that is damaged."""
    try:
        return str(json.loads(record_file(folder).read_bytes())["identity"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return ""
