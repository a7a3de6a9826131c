"""What stands at the head of the page: what there is, what may be compared, what failed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from attention_zoo.options import spell
from lra.results.comparable import column, conditions, machine
from lra.results.figures.captions import conditions_of, data_of, machine_of
from lra.results.record import Failure, Record
from lra.results.report.data import Run
from lra.results.table import MISSING, Cell, Table
from lra.results.tables import comparable_with
from lra.tasks import TASKS

RULES = (
    "Accuracies may be compared within one row of this table, and not from row to row: its runs "
    "have the same task, data, protocol, settings, precision and kind of device.",
    "Times and memory may be compared, besides, within one machine alone, under the same number of "
    "threads and the same version of torch.",
    "Accuracies of attentions differ by chance, too: a ± is the standard deviation over seeds, or "
    "the binomial standard error of a single run. Two means that lie closer than that are not told "
    "apart.",
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


def head(runs: Sequence[Run], damaged: Sequence[str]) -> Head:
    records = [run.record for run in runs]
    failed = [run for run in runs if isinstance(run.record, Failure)]
    names = {record.attention for record in records}
    tasks = {record.task for record in records}
    facts = (
        _count(len(records), "run"),
        _count(len(tasks), "task"),
        _count(len(names), "attention", f"{sum('+' in name for name in names)} with a filter"),
        _count(len({machine(record) for record in records}), "machine"),
        (str(len(failed)), "without a result"),
    )
    return Head(
        facts,
        (_tasks(tasks), _seeds(records), _lra(records)),
        _comparable(records),
        _machines(records),
        _failures(failed) if failed else None,
        tuple(run.name for run in failed),
        tuple(damaged),
    )


def _count(n: int, what: str, more: str | None = None) -> tuple[str, str]:
    return f"{n:,}", f"{what}{'s' * (n != 1)}" + (f", {more}" if more else "")


def _tasks(tasks: set[str]) -> str:
    return f"Tasks: {', '.join(name for name in TASKS if name in tasks)}."


def _seeds(records: Iterable[Record | Failure]) -> str:
    seeds = sorted({record.seed for record in records})
    return f"Seeds: {', '.join(map(str, seeds[:20]))}{' …' * (len(seeds) > 20)}."


def _lra(records: Sequence[Record | Failure]) -> str:
    """Which of the runs may be held against LRA's tables."""
    beside = [record for record in records if comparable(record)]
    if not beside:
        return "None of these runs may be compared with the tables of Long Range Arena."
    which = "All of" if len(beside) == len(records) else f"{len(beside):,} of"
    return (
        f"{which} these runs may be compared with tables of Long Range Arena, each with those of "
        "its protocol alone, but for the deviations that their pages list."
    )


def comparable(record: Record | Failure) -> bool:
    """Whether a run's protocol and data are those of a published table."""
    return not with_lra(record).startswith("not comparable")


def with_lra(record: Record | Failure) -> str:
    left = left_in(record)
    if left and not comparable_with(record.protocol).startswith("not comparable"):
        return f"not comparable with LRA as it stands: the protocol was left in {', '.join(left)}"
    return comparable_with(record.protocol)


def left_in(record: Record | Failure) -> list[str]:
    """Settings that left the protocol, but for those that bring its source's way back."""
    restoring = {
        word
        for deviation in record.protocol.deviations
        for word in (deviation.restore or "").split()
    }
    changes = (f"{key}={spell(value)}" for key, value in record.modified.items())
    return [change for change in changes if change not in restoring]


def _comparable(records: Sequence[Record | Failure]) -> Table:
    groups: dict[tuple, list[Record | Failure]] = {}
    for record in records:
        groups.setdefault((*column(record), *conditions(record)), []).append(record)
    rows = []
    for group in groups.values():
        first = group[0]
        kind = f"{conditions_of(first)}, {first.accelerator}"
        count = len({record.attention for record in group})
        rows.append((first.task, kind, data_of(first), count, len(group), with_lra(first)))
    columns = ("task", "protocol", "data", "attentions", "runs", "with published tables")
    return _table("comparable", "What may be compared with what", columns, sorted(rows), RULES)


def _machines(records: Sequence[Record | Failure]) -> Table:
    groups: dict[tuple, list[Record | Failure]] = {}
    for record in records:
        groups.setdefault(machine(record), []).append(record)
    rows = [
        (machine_of(group[0].environment), group[0].environment.matmul, len(group))
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
    kind: str,
    title: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str | int, ...]],
    caption: tuple[str, ...] = (),
) -> Table:
    cells = tuple(tuple(Cell(str(value) or MISSING, value) for value in row) for row in rows)
    numbers = tuple(dict(zip(columns, row, strict=True)) for row in rows)
    return Table(kind, title, columns, cells, caption, (), {}, numbers)
