"""What the tables of groups share: labels, sentences, marks, and the columns that say in CSV where
a row is from."""

from collections.abc import Callable, Sequence
from typing import Any

from lra.measure.timing import WIDE, Timing
from lra.results.captions import machine_line, spelled, task_changes, title
from lra.results.comparable import settings_fingerprint
from lra.results.numbers import figure
from lra.results.record import Failure
from lra.results.statistics import binomial_error
from lra.results.summary import Group
from lra.results.table import Column, Note

NOT_LEARNED = Note(
    "†",
    "no run is two standard errors better than both chance and the majority class",
    best=False,
)
LARGE = Note("‡", "more parameters than LRA's rule allows, 10 % over the softmax model")
SPREAD = Note("§", "spread above 20 %: p20–p80 over the median, or the medians of several runs")
ALLOWED = 10.0  # percent of parameters over softmax

# A row has `group`, its Group, and where it is of one machine `cost`, its group there, else None.
TASK: Column[Any] = Column(
    "task",
    lambda row: row.group.task,
    format=title,
    more=lambda row: row.group.label.removeprefix(title(row.group.task)),
)
# What tells the rows of several groups apart in one CSV.
ORIGIN: list[Column[Any]] = [
    Column("protocol", lambda row: row.group.first.protocol.name, shown=False),
    Column("modified", lambda row: spelled(row.group.first.modified, ";"), shown=False),
    Column("source", lambda row: row.group.first.data.source, shown=False),
    Column("data", lambda row: row.group.first.data.fingerprint, shown=False),
    Column("settings", lambda row: settings_fingerprint(row.group.first.protocol), shown=False),
    Column("comparable", lambda row: row.group.comparable, shown=False),
    Column("precision", lambda row: row.group.first.precision, shown=False),
    Column("accelerator", lambda row: row.group.first.accelerator, shown=False),
    Column("micro_batch", lambda row: row.group.first.micro_batch, shown=False),
    Column("train_fraction", lambda row: row.group.first.data.train_fraction, shown=False),
]
MACHINE: list[Column[Any]] = [
    Column(
        "machine",
        lambda row: row.cost and row.cost.machine[0],
        more=lambda row: (
            (row.cost and machine_line(row.cost.first)[len(row.cost.machine[0]) :]) or ""
        ),
        shown=lambda rows: len({row.cost.machine for row in rows if row.cost}) > 1,
    ),
    Column("threads", lambda row: row.cost and row.cost.machine[1], shown=False),
    Column("torch", lambda row: row.cost and row.cost.machine[2], shown=False),
    Column("matmul", lambda row: row.cost and row.cost.machine[3], shown=False),
]


def over_softmax(percent: Callable[[Any], float | None]) -> Column[Any]:
    """Parameters beyond the softmax model's, marked where LRA's rule does not allow them."""

    def notes(row: Any) -> list[Note]:
        return [LARGE] if (percent(row) or 0) > ALLOWED else []

    return Column("over softmax", percent, "%", notes=notes)


def timing(
    name: str,
    read: Callable[[Any], Timing | None],
    best: Callable[..., Any] | None = None,
    varies: Callable[[Any], bool] = lambda row: False,
) -> list[Column[Any]]:
    """A median with p20 and p80. varies: whether several runs differ more than repetitions may."""

    def of(part: str) -> Callable[[Any], float | None]:
        return lambda row: getattr(read(row), part, None)

    def spread(row: Any) -> str:
        return f" ({figure(time.p20_ms)}–{figure(time.p80_ms)})" if (time := read(row)) else ""

    def notes(row: Any) -> list[Note]:
        return [SPREAD] if (time := read(row)) and (time.spread > WIDE or varies(row)) else []

    key = f"{name} median ms"
    return [
        Column(name, of("median_ms"), "ms", more=spread, best=best, notes=notes, key=key),
        Column(f"{name} p20", of("p20_ms"), "ms", shown=False),
        Column(f"{name} p80", of("p80_ms"), "ms", shown=False),
    ]


def head_lines(groups: Sequence[Group]) -> list[str]:
    """What each may be compared with, those alike in one sentence; then the data of each, and how
    fine its test split can tell accuracies apart."""
    labels: dict[str, list[str]] = {}
    for group in groups:
        labels.setdefault(group.comparable, []).append(group.label)
    lines = [f"{', '.join(named)}: {what}." for what, named in labels.items()]
    for group in groups:
        first, changed = group.first, spelled(task_changes(group.first))
        line = f"{group.label}: {first.data.source} data {first.data.fingerprint}"
        line += f" ({changed})" if changed and changed not in group.label else ""
        if isinstance(first, Failure):
            lines.append(f"{line}; no run has ended with a result.")
        else:
            error = binomial_error(50, n := first.test.count)
            lines.append(f"{line}, {n:,} test examples (one run: s.e. ≤ {error:.1f}).")
    return lines
