"""The table of a sweep: accuracy, time and distance from the true power by an option's values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import multimode
from typing import Any

from attention_zoo.options import spell
from lra.measure.timing import Ratio
from lra.results.captions import footer, settings_line, table_title
from lra.results.comparable import Recorded
from lra.results.distances import LEFT_OUT, Apart, Distances
from lra.results.summary import Group, Summary
from lra.results.sweeps import MODE, Sweep, Value, is_number, sweeps
from lra.results.table import Column, Note, Table, values
from lra.results.tables.accuracy import Result, not_learned, tenths
from lra.results.tables.cost import Cost, timings
from lra.results.tables.groups import MACHINE, ORIGIN, TASK, head_lines
from lra.results.tables.pairs import Pair
from lra.results.tables.ratios import IN_TURNS, ratio_columns

DISTANCE = "distance"
ELSEWHERE = Note("*", LEFT_OUT)


@dataclass(frozen=True)
class Point:
    """An attention's runs at a value of an option and in a mode; of a base neither is known.

    cost: of the runs on one machine. usual: the number of runs that most have. apart: the distances
    of all of the sweep.
    """

    group: Group
    cost: Group | None
    attention: str
    option: str
    value: str | float | None
    mode: str
    usual: int
    apart: Apart

    @property
    def summary(self) -> Summary:
        return self.group.attentions[self.attention]

    @property
    def result(self) -> Result:
        return Result(self.group, self.summary, self.usual)

    @property
    def distance(self) -> float | None:
        return self.apart.known.get(self.attention)

    @property
    def timed(self) -> Cost | None:
        """None where it was not measured on this machine."""
        found = self.cost.attentions.get(self.attention) if self.cost else None
        return Cost(self.cost, found) if found and found.measured else None

    @property
    def in_turns(self) -> Ratio | None:
        return Pair(self.group, self.attention, self.cost).in_turns if self.timed else None

    @property
    def over_base(self) -> float | None:
        """Of step times, where the base was measured there, too."""
        if not (self.timed and self.cost and self.cost.base_of(self.attention)):
            return None
        pair = Pair(self.group, self.attention, self.cost)
        return pair.over_base(lambda one: one.training_step.median_ms)


@dataclass(frozen=True)
class Line:
    """A row: the points of a value by mode, on one machine."""

    group: Group
    cost: Group | None
    value: str | float | None
    points: Mapping[str, Point]


# Of a point: a table has each that is shown for every mode.
FIGURES: list[Column[Any]] = [
    Column(
        "accuracy",
        lambda point: point.summary.mean,
        "%",
        format=tenths,
        more=lambda point: point.result.more,
        best=max,
        notes=lambda point: not_learned(point.summary),
        key="accuracy",
    ),
    Column("std", lambda point: point.summary.std, shown=False),
    Column("n", lambda point: len(point.summary.runs), shown=False),
    Column("learned", lambda point: point.summary.learned, shown=False),
    Column("failed", lambda point: point.summary.failed or None, shown=False),
    *(
        column.within(column.header, lambda point: point.timed)
        for column in timings("step", lambda one: one.training_step)
    ),
    *ratio_columns(
        "× time", lambda point: point.in_turns, lambda point: point.over_base, key="times"
    ),
    Column(
        DISTANCE,
        lambda point: point.distance,
        notes=lambda point: [ELSEWHERE] if point.attention in point.apart.others else [],
    ),
    Column(
        "distance_subset",
        lambda point: None if point.distance is None else point.apart.words,
        shown=False,
    ),
]
COLUMNS: list[Column[Any]] = [
    TASK,
    Column("attention", lambda point: point.attention),
    Column("option", lambda point: point.option),
    Column("value", lambda point: point.value),
    Column("mode", lambda point: point.mode or None),
    *FIGURES,
    *ORIGIN,
    *MACHINE,
]


def by_tables(
    option: str,
    records: Iterable[Recorded],
    distances: Distances | None = None,
    command: str | None = None,
) -> list[Table]:
    """One for each sweep of the option: a row a value and machine, columns for each mode.

    distances: of runs that were analysed. Raises UsageError as `sweeps`.
    """
    return [_table(sweep, distances or {}, command) for sweep in sweeps(option, records)]


def _table(sweep: Sweep, distances: Distances, command: str | None) -> Table:
    group, base = sweep.group, sweep.base
    shown = [group.attentions[name] for name in sweep.names] + ([base] if base else [])
    usual = max(multimode(len(one.runs) for one in shown if one.runs), default=0)
    apart = Apart.of(sweep, distances)

    def line(cost: Group | None, value: str | float | None, names: Mapping[str, str]) -> Line:
        points = {}
        for mode, name in names.items():
            of = (sweep.option, value, "" if value is None else mode, usual, apart)
            points[mode] = Point(group, cost, name, *of)
        return Line(group, cost, f"({base.attention})" if value is None and base else value, points)

    lines = [
        line(cost, _shown(value), sweep.attentions[value])
        for value in sweep.values
        for cost in _machines(sweep, sweep.attentions[value].values())
    ]
    same = dict.fromkeys(sweep.modes, base.attention) if base else {}
    below = [line(cost, None, same) for cost in _machines(sweep, same.values()) if base]
    points = [point for one in lines for point in one.points.values()]
    points += [one.points[sweep.modes[0]] for one in below]
    records = [record for one in shown for record in one.records]
    first = group.first
    return Table.of(
        "by",
        table_title(f"{sweep.name} by {sweep.option}, {group.label}", first, task=True),
        _columns(sweep, [*lines, *below]),
        lines,
        _caption(sweep, usual, lines, apart),
        footer(records, command),
        below,
        values(COLUMNS, points),
    )


def _machines(sweep: Sweep, names: Iterable[str]) -> Sequence[Group | None]:
    """Where any of these was measured; None where there is none."""
    names = set(names)
    found = [
        cost
        for cost in sweep.costs
        if any(one.measured for name, one in cost.attentions.items() if name in names)
    ]
    return found or [None]


def _shown(value: Value) -> str | float:
    """A number as it is, anything else as a spec has it."""
    return value if is_number(value) else spell(value)


def _columns(sweep: Sweep, lines: Sequence[Line]) -> list[Column[Any]]:
    found = [Column[Any](sweep.option, lambda line: line.value)]
    points = [point for line in lines for point in line.points.values()]
    for column in FIGURES:
        known = any(column.value(point) is not None for point in points)
        needed = column.name == "accuracy" or (column.name == DISTANCE and _has_forms(sweep))
        if column.shown and (known or needed):
            for mode in sweep.modes:
                header = _header(column.header, mode) if len(sweep.modes) > 1 else column.header
                found.append(column.within(header, lambda line, mode=mode: line.points.get(mode)))
    return [*found, *MACHINE]


def _header(figure: str, mode: str) -> str:
    """The distance is the same figure of either form's runs."""
    return f"{figure}, {mode} runs" if figure == DISTANCE else f"{mode} {figure}"


def _has_forms(sweep: Sweep) -> bool:
    return sweep.option == MODE or any(sweep.modes)


def _caption(sweep: Sweep, usual: int, lines: Sequence[Line], apart: Apart) -> list[str]:
    text = head_lines([sweep.group])
    if usual:
        runs = "Single runs" if usual == 1 else f"Means ± standard deviations of n = {usual} runs"
        text.append(f"{runs} unless noted.")
    points = [point for line in lines for point in line.points.values()]
    if any("learned" in point.result.more for point in points):
        text.append("Learned: two standard errors better than a constant answer.")
    if any(point.timed for point in points):
        text.append("Step: median (p20–p80) of a training step, median over runs.")
    if any(point.in_turns for point in points):
        text.append(IN_TURNS)
    if _has_forms(sweep):
        text.append(
            "Distance: ‖Taylor form − Āᴷ‖₂, for the Ā that each run learned, whichever form it "
            "used; mean over layers, heads and runs, – where no run was analysed. `python "
            f"run_lra.py analyze RUN` finds it{f', here on {apart.words}' if apart.known else ''}."
        )
    if sweep.base:
        text.append(f"({sweep.base.attention}): without the last filter.")
    return [*text, f"{settings_line(sweep.group.first)}."]
