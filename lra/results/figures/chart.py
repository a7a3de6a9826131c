"""A figure as data, made once: matplotlib draws it for paper, plotly for the report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lra.results.numbers import figure

Floats = Sequence[float]
NEAR = 0.06  # of an axis' length: a line of text in the smallest figure


@dataclass(frozen=True)
class Series:
    """Marks of one attention, or a guide to the eye, whose attention is None.

    Args:
        attention: canonical spec; it decides colour, mark and dashes
        name: in the legend, if it has an entry there
        bars: how far the error bars reach below and above, along the panel's values
        joined: by a line
        thin: one of several runs, beside their mean
        area: of the circle around the mark, in any unit that the panel's series share
        texts: a word beside each point, "" for none
        numbers: its rows in the table of the figure's numbers, by column; the report shows them
            where each point has one and is pointed at
    """

    attention: str | None
    x: Floats
    y: Floats
    name: str = ""
    bars: tuple[Floats, Floats] | None = None
    joined: bool = False
    thin: bool = False
    area: float | None = None
    texts: Sequence[str] = ()
    numbers: Sequence[Mapping[str, str | float | None]] = ()


@dataclass(frozen=True)
class Axis:
    """ticks: values with their texts, empty for a library's own. range: None for all marks."""

    title: str
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Panel:
    """levels: dashed lines across: test accuracy in percent of rules that learn next to nothing, or
    the figure of what others are compared with. arrows: attentions of this panel, from and to.
    rows: whether the values, with bars and levels, lie along x, and y tells attentions apart."""

    x: Axis
    y: Axis
    series: Sequence[Series]
    levels: Mapping[str, float] = field(default_factory=dict)
    arrows: Sequence[tuple[str, str]] = ()
    rows: bool = False

    @property
    def labels(self) -> list[list[str]]:
        """The levels from the lowest, those in one list whose labels would cover each other: they
        share one, at the highest."""
        axis = self.x if self.rows else self.y
        scale = math.log if axis.log else float
        low, high = map(scale, axis.range) if axis.range else (0.0, 0.0)
        found: list[list[str]] = []
        above = -math.inf
        for rule in sorted(self.levels, key=self.levels.__getitem__):
            below, above = above, scale(self.levels[rule])
            if found and above - below <= NEAR * (high - low):
                found[-1].append(rule)
            else:
                found.append([rule])
        return found

    def diameter(self, one: Series, largest: float) -> float:
        """Of a series' circle, if that of the largest area has this one."""
        return largest * math.sqrt((one.area or 0) / max(of.area or 1 for of in self.series))


@dataclass(frozen=True)
class Chart:
    """name: of its files, the same for what is comparable whatever else is on record. title: what
    was done under which conditions, a line. details: what may differ under one title. panels: side
    by side. notes: what is drawn, then where the numbers are from. summary: what it shows."""

    name: str
    title: str
    details: Sequence[str]
    panels: Sequence[Panel]
    notes: Sequence[str]
    summary: str

    @property
    def label(self) -> str:
        """Among charts of one kind."""
        return "; ".join([self.title, *self.details])

    @property
    def numbers(self) -> list[dict[str, str | float | None]]:
        """The rows of all series, each with its attention."""
        series = [one for panel in self.panels for one in panel.series]
        return [{"attention": one.attention, **row} for one in series for row in one.numbers]


def log_axis(title: str, values: Floats, room: float = 0.06) -> Axis:
    """A logarithmic axis around the values, with round ticks; room: a part of its length."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(room * (high - low), room)
    limits = (10 ** (low - margin), 10 ** (high + margin))
    digits = (1, 1.5, 2, 3, 5, 7) if high - low < 0.8 else (1, 2, 5) if high - low < 3 else (1,)
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    inside = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    if len(inside) < 2:
        inside = sorted({min(values), max(values)})
    return Axis(title, True, [(tick, figure(tick)) for tick in inside], limits)
