"""Time and memory against N in matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lra.measure.growth import Growth
from lra.results.figures.growth import GrowthChart, Line
from lra.results.figures.legend import draw_legend, legend_height, line_style
from lra.results.figures.palette import Looks
from lra.results.figures.style import (
    GREY,
    MARGIN,
    SIZE,
    TEXT,
    log_ticks,
    page,
    styled,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT, BELOW, LEFT, RIGHT = 2.8, 0.38, 0.58, 0.2  # inches: of the axes, and round them
# How a line ends: a marker at its last length, and a letter for it.
ENDS = {"out of memory": ("x", "×"), "time limit": ("|", "|")}
OTHER = ("+", "+")
UNITS = {1e9: "GB", 1e6: "MB", 1e3: "kB"}


def draw_growth(chart: GrowthChart, looks: Looks) -> Figure:
    with styled():
        names = [line.attention for line in chart.time]
        memory = {line.attention: line for line in chart.memory}
        texts = [legend_text(line, memory.get(line.attention)) for line in chart.time]
        legend = legend_height(texts, TEXT - 2 * MARGIN)
        more = ends_note((*chart.time, *chart.memory))
        sheet = page(chart.caption, TEXT, HEIGHT + BELOW + legend, more)
        width = TEXT / 2 - LEFT - RIGHT
        time = sheet.axes(LEFT, legend + BELOW, width, HEIGHT)
        _panel(time, chart.time, looks, 1.0, f"{chart.timed} (ms)")
        if chart.memory:
            unit = next((u for u in UNITS if _largest(chart.memory) >= u), 1e3)
            right = sheet.axes(TEXT / 2 + LEFT, legend + BELOW, width, HEIGHT)
            _panel(right, chart.memory, looks, unit, f"peak memory ({UNITS[unit]})")
        draw_legend(sheet, 0, [(t, looks[name]) for t, name in zip(texts, names, strict=True)])
        return sheet.figure


def legend_text(time: Line, memory: Line | None) -> str:
    """`linear: 1.02 [0.95, 1.10]; 1.00 [1.00, 1.00]`: time, then memory."""
    if time.growth is None:
        return time.attention
    of_memory = f"; {_exponent(memory.growth)}" if memory and memory.growth else ""
    return f"{time.attention}: {_exponent(time.growth)}{of_memory}"


def _exponent(growth: Growth) -> str:
    return f"{growth.exponent:.2f} [{growth.smallest:.2f}, {growth.largest:.2f}]"


def ends_note(lines: Sequence[Line]) -> list[str]:
    """What the markers at the ends of lines mean."""
    found = sorted({line.ended.status for line in lines if line.ended is not None})
    named = [f"{ENDS.get(status, OTHER)[1]} {status}" for status in found]
    return [f"A line ends: {', '.join(named)}."] if named else []


def _largest(lines: Sequence[Line]) -> float:
    return max(max(line.values) for line in lines)


def _panel(axes: Axes, lines: Sequence[Line], looks: Looks, unit: float, label: str) -> None:
    for line in lines:
        style = line_style(looks[line.attention])
        values = [value / unit for value in line.values]
        if line.low is not None:
            band = {"color": style["color"], "alpha": 0.18, "linewidth": 0}
            low, high = ([value / unit for value in of] for of in (line.low, line.high))
            axes.fill_between(line.N, low, high, gid=line.attention, **band)
        axes.plot(line.N, values, label=line.attention, **style)
        if line.ended is not None:
            marker, _ = ENDS.get(line.ended.status, OTHER)
            axes.plot(
                line.N[-1:],
                values[-1:],
                color="black",
                marker=marker,
                markersize=6,
                markeredgewidth=1.1,
                linestyle="none",
                zorder=4,
                label=line.ended.status,
            )
    axes.set(xscale="log", yscale="log", xlabel="N (tokens)", ylabel=label)
    axes.margins(0.06)
    _guides(axes, lines, unit)
    lengths = sorted({n for line in lines for n in line.N})
    while len(lengths) > 7:
        lengths = lengths[::-2][::-1]
    ticks(axes.xaxis, lengths)
    ticks(axes.yaxis, log_ticks(*axes.get_ylim()))


def _guides(axes: Axes, lines: Sequence[Line], unit: float) -> None:
    """N and N², from under the lines' first values on, as far as the lines go."""
    first, last = (f(n for line in lines for n in line.N) for f in (min, max))
    if first == last:
        axes.set_xlim(first / 2, 2 * first)
        return
    start = min(line.values[0] for line in lines) / unit / 1.6
    across, (low, high) = axes.get_xlim(), axes.get_ylim()
    for power, name in ((1, "N"), (2, "N²")):
        stop = min(last, first * (high / start) ** (1 / power))
        end = start * (stop / first) ** power
        axes.plot(
            [first, stop],
            [start, end],
            color=GREY,
            linewidth=0.7,
            dashes=(1, 2),
            zorder=1,
            label=name,
        )
        axes.annotate(
            name, (stop, end), xytext=(2, -SIZE / 2), textcoords="offset points", color=GREY
        )
    axes.set(xlim=across, ylim=(min(low, start / 1.1), high))
