"""The table of costs: one for each task, setting and machine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from lra.measure.memory import METHODS
from lra.measure.timing import WIDE, Timing
from lra.measure.variant import Measurement
from lra.results.captions import bracketed, footer, place, settings_line, table_title, title
from lra.results.numbers import figure
from lra.results.summary import Group, Summary
from lra.results.table import Column, Table
from lra.results.tables.groups import MACHINE, ORIGIN, TASK, head_lines, over_softmax, timing


@dataclass(frozen=True)
class Cost:
    """A row: an attention's runs on one machine."""

    group: Group
    summary: Summary

    @property
    def cost(self) -> Group:
        return self.group

    @property
    def remarks(self) -> str:
        without = len(self.summary.runs) - len(self.summary.measured)
        return bracketed(f"{without} not measured" if without else "", self.summary.failed)


def median(read: Callable[[Measurement], float | None]) -> Callable[[Cost], float | None]:
    return lambda row: row.summary.median(read)


def timings(name: str, read: Callable[[Measurement], Timing]) -> list[Column[Cost]]:
    """Each figure the median over runs."""

    def middle(row: Cost) -> Timing | None:
        parts = ("median_ms", "p20_ms", "p80_ms")
        figures = [row.summary.median(lambda one, p=part: getattr(read(one), p)) for part in parts]
        n = len(row.summary.measured)
        return Timing(*figures, n=n) if n else None

    def varies(row: Cost) -> bool:
        medians = [read(one).median_ms for one in row.summary.measured]
        return max(medians) - min(medians) > WIDE * middle(row).median_ms

    return timing(name, middle, min, varies)


def memory(method: str) -> Column[Cost]:
    """Shown where it was measured by this method."""
    read = median(lambda one: one.memory.get(method))
    return Column(
        METHODS[method],
        read,
        "GB",
        format=lambda size: figure(size / 1e9),
        best=min,
        key=method,
        shown=lambda rows: any(read(row) is not None for row in rows),
    )


# What a step takes, of several runs or of one.
COSTS: list[Column[Any]] = [
    *timings("step", lambda one: one.training_step),
    *timings("forward", lambda one: one.forward),
    Column("examples/s", median(lambda one: one.examples_per_second), best=max),
    Column("s/1,000 steps", median(lambda one: one.seconds_per_1000_steps), best=min),
    *map(memory, METHODS),
    Column("GFLOP/step", median(lambda one: one.training_flops / 1e9)),
    Column("parameters", median(lambda one: one.parameters)),
    over_softmax(median(lambda one: one.over_softmax)),
]
COLUMNS: list[Column[Any]] = [
    replace(TASK, shown=False),
    Column("attention", lambda cost: cost.summary.attention),
    Column("n", lambda cost: len(cost.summary.measured), more=lambda cost: cost.remarks),
    Column("failed", lambda cost: cost.summary.failed or None, shown=False),
    *COSTS,
    *ORIGIN,
    *MACHINE,
]


def cost_tables(costs: Iterable[Group], command: str | None = None) -> list[Table]:
    """One for each group, as `cost_groups` makes them; none where nothing was measured."""
    groups = sorted(costs, key=lambda group: place(group.task))
    return [
        _table(replace(group, label=title(group.task)), command)
        for group in groups
        if any(summary.measured for summary in group.attentions.values())
    ]


def _table(group: Group, command: str | None) -> Table:
    first, micro = group.first, group.first.micro_batch
    what = f"Cost of training, {group.label}, N = {first.protocol.task.max_len:,}"
    what += f", batch {first.protocol.training.batch}" + (f" in parts of {micro}" if micro else "")
    caption = (
        *head_lines([group]),
        "Medians over n runs of a training step (forward, backward, optimiser; p20–p80) and of a "
        "forward pass; nothing padded, no loader. Memory: of one training step, a column a method. "
        f"{settings_line(first)}.",
    )
    rows = [Cost(group, summary) for summary in group.attentions.values()]
    where = footer(group.records, command)
    return Table.of("cost", table_title(what, first, task=True), COLUMNS, rows, caption, where)
