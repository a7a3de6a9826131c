"""What stands at the head of the page: what there is, what may be compared, what failed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from attention_zoo.spec import base_of
from lra.results.captions import conditions_of, data_of
from lra.results.comparable import Recorded, machine
from lra.results.record import Failure
from lra.results.report.comparison import NOT, Comparison
from lra.results.report.data import Run
from lra.results.table import Cell, Table
from lra.tasks import TASKS

RULES = (
    "Accuracies may be compared within one row of the table of groups below, and not from row to "
    "row: its runs have the same task, data, protocol, settings, precision and kind of device.",
    "Times and memory may be compared, besides, within one machine alone, under the same number of "
    "threads and the same version of torch.",
    "Accuracies differ by chance, too: a ± is the standard deviation over seeds, or the binomial "
    "standard error of a single run. Whether a filter changes an accuracy is for the tables of "
    "pairs to say, which compare seed by seed.",
)


@dataclass(frozen=True)
class Head:
    """facts: numbers with what they count. lines: sentences. links: of the rows of `failures`, the
    names of their runs."""

    facts: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    comparable: Table
    machines: Table
    failures: Table | None
    links: tuple[str, ...]
    damaged: tuple[str, ...]


def head(runs: Sequence[Run], damaged: Sequence[str], comparison: Comparison) -> Head:
    records = [run.record for run in runs]
    failed = [run for run in runs if isinstance(run.record, Failure)]
    names = {record.attention for record in records}
    tasks = {record.task for record in records}
    filtered = sum(base_of(name) is not None for name in names)
    facts = (
        _count(len(records), "run"),
        _count(len(tasks), "task"),
        _count(len(names), "attention", f"{filtered} with a filter"),
        _count(len({machine(record) for record in records}), "machine"),
        (str(len(failed)), "without a result"),
    )
    return Head(
        facts,
        (_tasks(tasks), _seeds(records), _lra(comparison), *RULES),
        _comparable(comparison),
        _machines(records),
        _failures(failed) if failed else None,
        tuple(run.name for run in failed),
        tuple(damaged),
    )


def _count(n: int, what: str, more: str | None = None) -> tuple[str, str]:
    return f"{n:,}", f"{what}{'s' * (n != 1)}" + (f", {more}" if more else "")


def _tasks(tasks: set[str]) -> str:
    return f"Tasks: {', '.join(name for name in TASKS if name in tasks)}."


def _seeds(records: Iterable[Recorded]) -> str:
    seeds = sorted({record.seed for record in records})
    return f"Seeds: {', '.join(map(str, seeds[:20]))}{' …' * (len(seeds) > 20)}."


def _lra(comparison: Comparison) -> str:
    """Which of the runs may be held against LRA's tables."""
    sizes = [len(group.records) for group in comparison.groups]
    beside = sum(
        size
        for size, group in zip(sizes, comparison.groups, strict=True)
        if not comparison[group.first].startswith(NOT)
    )
    if not beside:
        return "None of these runs may be compared with the tables of Long Range Arena."
    which = "All of" if beside == sum(sizes) else f"{beside:,} of"
    return (
        f"{which} these runs may be compared with tables of Long Range Arena, each with those of "
        "its protocol alone, but for the deviations that its page lists."
    )


def _comparable(comparison: Comparison) -> Table:
    rows = []
    for group in comparison.groups:
        first = group.first
        count, runs = len(group.attentions), len(group.records)
        text = comparison[first]
        rows.append((first.task, conditions_of(first), data_of(first), count, runs, text))
    columns = ("task", "protocol", "data", "attentions", "runs", "with published tables")
    return _table("comparable", "Runs that may be compared, a row a group", columns, sorted(rows))


def _machines(records: Sequence[Recorded]) -> Table:
    groups: dict[tuple, list[Recorded]] = {}
    for record in records:
        groups.setdefault(machine(record), []).append(record)
    rows = [
        (group[0].environment.machine, group[0].environment.matmul, len(group))
        for group in groups.values()
    ]
    columns = ("machine", "float32 products", "runs")
    return _table("machines", "Machines", columns, sorted(rows))


def _failures(failed: Iterable[Run]) -> Table:
    rows = [
        (r.attention, r.task, r.protocol.name, r.seed, r.kind, r.reason)
        for r in (run.record for run in failed)
    ]
    columns = ("attention", "task", "protocol", "seed", "ended", "reason")
    return _table("failures", "Runs without a result", columns, rows)


def _table(
    kind: str, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str | int, ...]]
) -> Table:
    cells = tuple(tuple(Cell(str(value), value) for value in row) for row in rows)
    numbers = tuple(dict(zip(columns, row, strict=True)) for row in rows)
    return Table(kind, title, columns, cells, (), (), {}, numbers)
