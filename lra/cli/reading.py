"""What lies in the results' folder, as commands ask for it."""

import contextlib
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from attention_zoo import UsageError, parse_spec
from attention_zoo.errors import unknown
from lra.cli.common import say
from lra.measure.sheet import Sheet, read_sheet
from lra.protocols import Protocol, spec_under
from lra.results.comparable import Recorded
from lra.results.corruptions import Corruptions, Weights, read_corruptions
from lra.results.layout import RUNS
from lra.results.reading import disagreements, runs_on_record
from lra.results.record import Record

Folders = Sequence[Path]
Tasks = Sequence[str] | None  # None: all
T = TypeVar("T")


def on_record(results: Folders, tasks: Tasks = None) -> list[tuple[Path, Recorded]]:
    """The folders of the runs of these tasks, with their records; what cannot be read is named."""
    found: list[tuple[Path, Recorded]] = []
    for folder, record in runs_on_record(results):
        if isinstance(record, UsageError):
            say(f"skipped: {record}")
        elif tasks is None or record.task in tasks:
            found.append((folder, record))
    for line in disagreements(found):
        say(line)
    return found


def corrupted(
    runs: Iterable[tuple[Path, Recorded]], kinds: Sequence[str]
) -> dict[Weights, Corruptions]:
    """What is on record of these runs under corruptions, where tables of it are asked for; what
    cannot be read is named."""
    if "corruptions" not in kinds:
        return {}
    found = (beside(read_corruptions, folder, record) for folder, record in runs)
    return {one.weights: one for one in found if one}


def beside(read: Callable[[Path, Record], T | None], folder: Path, record: Recorded) -> T | None:
    """What `read` finds in the folder of a run that has a result; None where that cannot be read,
    which is named."""
    try:
        return read(folder, record) if isinstance(record, Record) else None
    except UsageError as error:
        say(f"skipped: {error}")
        return None


def none_on_record(results: Folders, tasks: Tasks = None) -> UsageError:
    of = f" of {', '.join(tasks)}" if tasks else ""
    first = tasks[0] if tasks else "listops"
    return UsageError(
        f"no runs on record{of} under {', '.join(str(one / RUNS) for one in results)}; "
        f"`python run_lra.py --task {first} --attn linear` makes one"
    )


def read_sheets(results: Folders, named: Sequence[Path] | None) -> list[Sheet]:
    """The measurements that were named; else those of the results that can be read."""
    return [read_sheet(path) for path in named] if named else list(_sheets_of(results))


def of_tasks(sheets: Iterable[Sheet], tasks: Tasks) -> list[Sheet]:
    """Without those of other tasks; an operator or a layer alone was measured for none."""
    return [sheet for sheet in sheets if tasks is None or sheet.settings.task in (None, *tasks)]


def _sheets_of(results: Folders) -> Iterable[Sheet]:
    for path in (p for one in results for p in sorted((one / "measurements").glob("*.json"))):
        try:
            yield read_sheet(path)
        except UsageError as error:
            say(f"skipped: {error}")


def spellings(spec: str, known: set[str], under: Iterable[Protocol]) -> set[str]:
    """Those of the `known` attentions that a person may mean by a spec: itself, and what it is
    without a protocol and under each; itself alone where there is none."""
    found = {spec}
    with contextlib.suppress(UsageError):  # of an attention that is not registered here
        found |= {str(parse_spec(spec)), *(str(spec_under(spec, one)) for one in under)}
    return found & known or {spec}


def asked_for(specs: list[str] | None, known: set[str], under: Iterable[Protocol]) -> set[str]:
    """The attentions of these specs, all that are known where none is given; UsageError for one
    of which nothing is there."""
    if specs is None:
        return known
    wanted = {name for spec in specs for name in spellings(spec, known, under)}
    for spec in sorted(wanted - known):
        raise unknown("attention on record", spec, known)
    return wanted


def of_attentions(
    runs: Iterable[tuple[Path, Recorded]], specs: list[str] | None
) -> list[tuple[Path, Recorded]]:
    """The runs of these; UsageError for one of which there is none."""
    runs = list(runs)
    known = {record.attention for _, record in runs}
    wanted = asked_for(specs, known, {record.protocol for _, record in runs})
    return [(folder, record) for folder, record in runs if record.attention in wanted]


def spelled(
    tasks: Iterable[str] | None, results: Folders, attentions: Iterable[str] | None = None
) -> str:
    """The arguments that print the tables of these again; no path of one machine."""
    words = ["--task", *tasks] if tasks else []
    words += ["--attn", *attentions] if attentions else []
    if list(results) != [Path("results")]:
        words += ["--results", *("DIR" if one.is_absolute() else str(one) for one in results)]
    return "".join(f" {shlex.quote(word)}" for word in words)
