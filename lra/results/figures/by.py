"""Accuracy, time and distance from the true power against the values of an option."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from attention_zoo.options import spell
from attention_zoo.spec import base_of
from lra.results.captions import details_of, figure_footer, file_name, group_title
from lra.results.comparable import Recorded
from lra.results.distances import Apart, Distances
from lra.results.figures.chart import Axis, Chart, Panel, Series, log_axis
from lra.results.figures.notes import (
    BARS,
    accuracy_axis,
    error_of,
    failures_of,
    levels_of,
    listed,
)
from lra.results.numbers import figure
from lra.results.summary import Group, Summary
from lra.results.sweeps import Sweep, Value, is_number, sweeps

WIDE = 10  # times the least value is the largest, from where on an axis is logarithmic
TICKS = 8  # of an axis, at most
ASIDE = 0.01  # between the bars of a filter's forms, of the length of an axis
DISTANCE = "‖Taylor − power‖₂"
Figure = tuple[float, float, float]  # with its lowest and highest
Read = Callable[[str], Figure | None]  # an attention's


@dataclass(frozen=True)
class Line:
    """Attentions by value. look: a spec."""

    look: str
    name: str
    attentions: Mapping[Value, str]


@dataclass(frozen=True)
class Known:
    """What is known of attentions: their runs, those that were timed on one machine, distances."""

    runs: Mapping[str, Summary]
    timed: Mapping[str, Summary]
    distances: Apart

    def accuracy(self, name: str) -> Figure | None:
        one = self.runs.get(name)
        if one is None or one.mean is None:
            return None
        return one.mean, one.mean - error_of(one), one.mean + error_of(one)

    def time(self, name: str) -> Figure | None:
        """Medians over runs of median, p20 and p80."""
        if name not in self.timed:
            return None
        times = [one.training_step for one in self.timed[name].measured]
        return (
            median(time.median_ms for time in times),
            median(time.p20_ms for time in times),
            median(time.p80_ms for time in times),
        )

    def apart(self, name: str) -> Figure | None:
        found = self.distances.known.get(name)
        return None if found is None else (found, found, found)

    def numbers(self, name: str) -> dict[str, str | float | None]:
        time, apart = self.time(name), self.apart(name)
        return {
            "test accuracy, %": self.runs[name].mean,
            "±": error_of(self.runs[name]),
            "seeds": len(self.runs[name].runs),
            "training step, ms": time and time[0],
            DISTANCE: apart and apart[0],
        }


def by_charts(
    option: str, records: Iterable[Recorded], distances: Distances | None = None
) -> list[Chart]:
    """One for each sweep of the option with results, and each machine where it was measured.

    distances: of runs that were analysed. Raises UsageError as `sweeps`.
    """
    return [
        _chart(sweep, cost, distances or {})
        for sweep in sweeps(option, records)
        if any(sweep.group.attentions[name].runs for name in sweep.names)
        for cost in sweep.costs or [None]
    ]


def _chart(sweep: Sweep, cost: Group | None, distances: Distances) -> Chart:
    lines, base = _lines(sweep), sweep.base
    names = {name for line in lines for name in line.attentions.values()}
    names |= {base.attention} if base else set()
    runs = {name: one for name, one in sweep.group.attentions.items() if name in names}
    group, where = replace(sweep.group, attentions=runs), (cost or sweep.group).first
    timed = {name: one for name, one in (cost.attentions if cost else {}).items() if one.measured}
    apart = Apart.of(sweep, distances)
    known = Known(runs, timed, apart)
    shown = [one for one in runs.values() if one.runs]
    accuracy, near = accuracy_axis("test accuracy, %", shown, levels_of(group.first))
    x = _x_axis(sweep)
    series = _series(sweep, x, lines, known.accuracy, known.numbers)
    level = _level(base, known.accuracy)
    panels = [Panel(x, accuracy, [*series, *_guides(x, base)], level | near)]
    if series := _series(sweep, x, lines, known.time):
        level = _level(base, known.time)
        panels.append(Panel(x, _y_axis("training step, ms", series, level.values()), series, level))
    if series := _series(sweep, x, lines, known.apart):
        panels.append(Panel(x, _y_axis(DISTANCE, series, [0.0]), series))
    words = (sweep.option, sweep.name, group.task, where.data.source, where.protocol.name)
    best = max(shown, key=lambda one: one.mean)
    return Chart(
        file_name("by", words, (words, group.conditions, group.column, cost and cost.machine)),
        f"{sweep.name} by {sweep.option}, {group_title(group.first)}",
        details_of(where),
        panels,
        [
            BARS + " Of time: p20 to p80." * bool(timed),
            *listed("Grey dashes", [_said(base, known)] if base and base.runs else []),
            *[f"{DISTANCE}: for the Ā that each run learned, on {apart.words}."] * bool(series),
            *listed("Left out, as analysed on other examples or tokens", apart.others),
            *listed("Without a result", failures_of(group)),
            figure_footer(group),
        ],
        f"{sweep.name} by {sweep.option}. Highest mean: {best.attention}, {best.mean:.1f} %.",
    )


def _lines(sweep: Sweep) -> list[Line]:
    """The forms of the filter; then what they are without it, if that has the option, too."""
    several = len(sweep.modes) > 1
    found = [
        Line(
            sweep.forms[mode],
            f"{sweep.name}, {mode}" if several else sweep.name,
            {v: sweep.attentions[v][mode] for v in sweep.values if mode in sweep.attentions[v]},
        )
        for mode in sweep.modes
    ]
    look = base_of(sweep.name)
    bases = {v: base_of(name) for v in sweep.values for name in sweep.attentions[v].values()}
    there = {v: name for v, name in bases.items() if name in sweep.group.attentions}
    return [*found, Line(look, look, there)] if look and len({*bases.values()}) > 1 else found


def _series(
    sweep: Sweep,
    axis: Axis,
    lines: Sequence[Line],
    read: Read,
    numbers: Callable[[str], dict[str, str | float | None]] | None = None,
) -> list[Series]:
    found = []
    for i, line in enumerate(lines):
        points = {v: point for v, name in line.attentions.items() if (point := read(name))}
        if not points:
            continue
        y = [middle for middle, *_ in points.values()]
        below = [middle - low for middle, low, _ in points.values()]
        above = [high - middle for middle, _, high in points.values()]
        barred = any(below) or any(above)
        aside = ASIDE * (i - (len(lines) - 1) / 2) if barred else 0.0
        x = [_moved(_x(sweep, value), axis, aside) for value in points]
        bars = (below, above) if barred else None
        rows = [
            {"attention": line.attentions[value], sweep.option: spell(value)}
            | numbers(line.attentions[value])
            for value in points
            if numbers
        ]
        found.append(Series(line.look, x, y, line.name, bars, joined=sweep.numeric, numbers=rows))
    return found


def _x(sweep: Sweep, value: Value) -> float:
    return float(value if sweep.numeric and is_number(value) else sweep.values.index(value))


def _moved(x: float, axis: Axis, share: float) -> float:
    """By a share of the axis' length."""
    low, high = axis.range or (0.0, 1.0)
    return x * (high / low) ** share if axis.log else x + share * (high - low)


def _guides(x: Axis, base: Summary | None) -> list[Series]:
    """Dots one standard deviation above and below the base, of several runs."""
    if base is None or base.mean is None or base.std is None or x.range is None:
        return []
    ends = (base.mean - base.std, base.mean + base.std)
    return [Series(None, x.range, [end, end], joined=True) for end in ends]


def _x_axis(sweep: Sweep) -> Axis:
    places = [_x(sweep, value) for value in sweep.values]
    if not sweep.numeric:
        texts = map(spell, sweep.values)
        ticks = list(zip(places, texts, strict=True))
        return Axis(sweep.option, ticks=ticks, range=(-0.5, len(places) - 0.5))
    axis, shown = _axis(sweep.option, places), places
    while len(shown) > TICKS:
        shown = shown[::-2][::-1]
    return replace(axis, ticks=[(place, figure(place)) for place in shown])


def _y_axis(title: str, series: Sequence[Series], also: Iterable[float]) -> Axis:
    """Around the series with their bars, and around other values."""
    ends = [*also]
    for one in series:
        below, above = one.bars or ([0.0] * len(one.y),) * 2
        ends += [y - bar for y, bar in zip(one.y, below, strict=True)]
        ends += [y + bar for y, bar in zip(one.y, above, strict=True)]
    return _axis(title, ends)


def _axis(title: str, values: Sequence[float]) -> Axis:
    """Around the values; logarithmic where they are positive and far apart."""
    low, high = min(values), max(values)
    if 0 < WIDE * low < high:
        return log_axis(title, values)
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(title, range=(low - room, high + room))


def _level(base: Summary | None, read: Read) -> dict[str, float]:
    known = read(base.attention) if base else None
    return {base.attention: known[0]} if base and known else {}


def _said(base: Summary, known: Known) -> str:
    time = known.time(base.attention)
    dots = " (dots)" if base.std is not None else ""
    step = f", {figure(time[0])} ms a step" if time else ""
    return f"{base.attention}, {base.mean:.1f} ± {error_of(base):.1f} %{dots}{step}"
