"""The table of pairs: an attention with a filter against itself without."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import sub, truediv
from typing import Any

from attention_zoo.spec import base_of
from lra.measure.memory import HEADLINE_MEMORY, METHODS, headline
from lra.measure.timing import Ratio
from lra.measure.variant import Measurement
from lra.results.captions import bracketed, by_conditions, footer, settings_line, table_title
from lra.results.numbers import signed
from lra.results.statistics import LEVEL, Paired
from lra.results.summary import Group, Summary
from lra.results.table import Column, Table
from lra.results.tables.groups import MACHINE, ORIGIN, TASK, head_lines, over_softmax
from lra.results.tables.ratios import IN_TURNS, hundredths, middle, ratio_columns

Figure = Callable[[Measurement], float]


@dataclass(frozen=True)
class Pair:
    """A row. group: of the runs on all machines. cost: those on one, where both sides were measured
    there."""

    group: Group
    attention: str
    cost: Group | None

    @cached_property
    def difference(self) -> Paired:
        return self.group.difference(self.attention)

    @property
    def interval(self) -> tuple[float | None, float | None]:
        return self.difference.interval or (None, None)

    def sides(self, group: Group) -> tuple[Summary, Summary]:
        return group.base_of(self.attention), group.attentions[self.attention]

    def compared(
        self, group: Group | None, read: Figure, how: Callable[..., float]
    ) -> float | None:
        """With the base, medians over the runs of a group; None where either was not measured."""
        found = [side.median(read) for side in self.sides(group)] if group else [None]
        return None if None in found else how(*reversed(found))

    @property
    def in_turns(self) -> Ratio | None:
        """Medians over the runs on one machine whose steps were timed in turns with the base's."""
        runs = self.cost.attentions[self.attention].measured if self.cost else []
        return middle([run.ratio for run in runs if run.ratio])

    def over_base(self, read: Figure) -> float | None:
        """A cost over that of the base, on one machine."""
        return self.compared(self.cost, read, truediv)

    @property
    def remarks(self) -> str:
        """What a Δ leaves out: runs of either side that did not learn or have no result."""
        said = []
        for side in self.sides(self.group):
            n = len(side.runs)
            learned = f"{side.learned} of {n} learned" if side.learned < n else ""
            if parts := ", ".join(filter(None, (learned, side.failed))):
                said.append(f"{side.attention}: {parts}")
        return "; ".join(said)


COLUMNS: list[Column[Any]] = [
    TASK,
    Column("attention", lambda pair: pair.attention),
    Column("base", lambda pair: base_of(pair.attention), shown=False),
    Column("Δ accuracy", lambda pair: pair.difference.mean, format=signed, key="difference"),
    Column(
        f"{100 * LEVEL:.0f} % interval",
        lambda pair: pair.interval[0],
        format=signed,
        more=lambda p: "" if p.interval[1] is None else f" to {signed(p.interval[1])}",
        separable=lambda pair: pair.difference.separable if pair.difference.n else None,
        key="low",
    ),
    Column("high", lambda pair: pair.interval[1], shown=False),
    Column("level", lambda pair: LEVEL, shown=False),
    Column("separable", lambda pair: pair.difference.separable, shown=False),
    Column("n", lambda pair: pair.difference.n, more=lambda pair: bracketed(pair.remarks)),
    Column("remarks", lambda pair: pair.remarks or None, shown=False),
    *ratio_columns(
        "× time",
        lambda pair: pair.in_turns,
        lambda pair: pair.over_base(lambda one: one.training_step.median_ms),
        key="times",
    ),
    Column(
        "× memory",
        lambda pair: pair.over_base(lambda one: headline(one.memory)),
        format=hundredths,
        key="memories",
    ),
    Column(
        "+ parameters",
        lambda pair: pair.compared(pair.group, lambda one: one.parameters, sub),
        key="more parameters",
    ),
    over_softmax(lambda pair: pair.sides(pair.group)[1].median(lambda one: one.over_softmax)),
    *ORIGIN,
    *MACHINE,
]


def pair_tables(
    groups: Iterable[Group], costs: Iterable[Group], command: str | None = None
) -> list[Table]:
    """One for each set of conditions that has a pair; a row a pair, task and machine.

    groups, costs: as `accuracy_groups` and `cost_groups` make them of the same records.
    """
    with_pair = [group for group in groups if any(map(group.base_of, group.attentions))]
    places: dict[tuple, list[Group]] = {}
    for cost in costs:
        places.setdefault((cost.conditions, cost.column), []).append(cost)
    return [_table(groups, places, command) for groups in by_conditions(with_pair)]


def _table(groups: list[Group], places: dict[tuple, list[Group]], command: str | None) -> Table:
    rows = [
        Pair(group, name, cost)
        for group in groups
        for name in group.attentions
        if group.base_of(name)
        for cost in _machines(places.get((group.conditions, group.column), []), name)
    ]
    records = [
        record
        for pair in rows
        for group in filter(None, (pair.group, pair.cost))
        for side in pair.sides(group)
        for record in side.records
    ]
    first = groups[0].first
    caption = (
        *head_lines(groups),
        "Δ: test accuracy over that of the attention without its last filter, in points, mean of "
        "the n seeds that both have. Interval: of that mean, percentile bootstrap over pairs. Not "
        "separable: that interval or Student's covers zero, there are fewer than three pairs, or "
        "neither side learned. In parentheses: runs that did not learn or have no result.",
        f"× time, × memory ({METHODS[HEADLINE_MEMORY[first.accelerator]]}): of a training step, "
        f"medians over the runs of one machine. {settings_line(first)}.",
        *([IN_TURNS] if any(row.in_turns for row in rows) else []),
    )
    title = table_title("With a filter against without", first)
    return Table.of("pairs", title, COLUMNS, rows, caption, footer(records, command))


def _machines(costs: Iterable[Group], name: str) -> list[Group | None]:
    """The machines on which both of a pair were measured; None where there is none."""
    both = [
        cost
        for cost in costs
        if all(side and side.measured for side in (cost.base_of(name), cost.attentions.get(name)))
    ]
    return both or [None]
