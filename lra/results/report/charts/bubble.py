"""Accuracy against training time."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from lra.results.figures.bubble import Bubble, BubbleChart, filters_of, label_of, round_sizes
from lra.results.figures.palette import Looks, split
from lra.results.numbers import figure
from lra.results.report.charts.chart import (
    FAINT,
    Chart,
    axis,
    counted,
    hover,
    layout,
    level,
    logarithmic,
    marker,
    marks_line,
    plain,
    table,
)
from lra.results.summary import Group

WIDEST, MARK = 56, 8  # pixels: the diameter of the most memory, of the mark in a circle's middle
KIND = "Accuracy against training time"
COLUMNS = (
    *("attention", "test accuracy %", "±", "seeds", "training step ms", "memory MB", "arrow from"),
)


def bubble_figure(chart: BubbleChart, group: Group, looks: Looks) -> Chart:
    """group: the runs of the chart, which know what may be said of differences."""
    filters = filters_of(chart)
    most = max(bubble.memory for bubble in chart.bubbles)
    widths = {b.attention: WIDEST * math.sqrt(b.memory / most) for b in chart.bubbles}
    traces = [_arrow(*arrow, looks, widths) for arrow in chart.arrows]
    traces += [_circle(bubble, looks, widths, filters) for bubble in chart.bubbles]
    traces += [_mark(bubble, looks) for bubble in chart.bubbles]
    shapes, notes = _sizes([bubble.memory for bubble in chart.bubbles])
    low, high = _view(chart.bubbles)
    hidden = []
    for rule in chart.levels:
        if not low < rule.accuracy < high:
            hidden.append(f"{rule.rule} {rule.accuracy:.1f} %")
            continue
        line, name = level(rule.accuracy, rule.rule)
        shapes, notes = shapes + line, notes + name
    steps = [bubble.step_ms for bubble in chart.bubbles]
    outside = [f"Outside of the view: {', '.join(hidden)}."] if hidden else []
    return Chart(
        KIND,
        chart.caption.label,
        _summary(chart, group),
        (*chart.caption.notes, marks_line(looks, widths), *outside, chart.caption.footer),
        traces,
        layout(
            logarithmic("training step, ms", steps, range=_range(steps)),
            axis("test accuracy, %", range=[low, high]),
            shapes=shapes,
            annotations=notes,
            margin={"l": 10, "r": 10, "t": WIDEST + 24, "b": 10},
            height=600,
        ),
        table(
            chart.caption,
            COLUMNS,
            (
                (b.attention, b.accuracy, b.error, b.n, b.step_ms, b.memory / 1e6, b.base)
                for b in chart.bubbles
            ),
        ),
    )


def _circle(
    bubble: Bubble, looks: Looks, widths: dict[str, float], filters: set[str]
) -> dict[str, Any]:
    """Without a filter: full, with its name. With one: a ring, that the arrow leads to, with the
    filter's name where there are several."""
    look, name = looks[bubble.attention], label_of(bubble, filters)
    return {
        "type": "scatter",
        "mode": "markers+text" if name else "markers",
        "name": plain(bubble.attention),
        "legendgroup": plain(split(bubble.attention)[0]),
        "showlegend": False,
        "x": [bubble.step_ms],
        "y": [bubble.accuracy],
        "text": [plain(name)],
        "textposition": "top center",
        "error_y": {"array": [bubble.error], "color": look.color, "thickness": 1, "width": 3},
        "marker": {
            "size": widths[bubble.attention],
            "color": _faded(look.color, 0.4 if look.filled else 0.0),
            "opacity": 1,
            "line": {"color": look.color, "width": 2},
        },
        "hoverinfo": "text",
        "hovertext": hover(
            bubble.attention,
            f"accuracy {bubble.accuracy:.2f} ± {bubble.error:.1f} %, {counted(bubble.n, 'seed')}",
            f"training step {figure(bubble.step_ms)} ms",
            f"memory {figure(bubble.memory / 1e6)} MB",
        ),
    }


def _mark(bubble: Bubble, looks: Looks) -> dict[str, Any]:
    """In a circle's middle and in the legend: tells attentions of one colour apart."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(bubble.attention),
        "legendgroup": plain(split(bubble.attention)[0]),
        "showlegend": bubble.base is None,
        "x": [bubble.step_ms],
        "y": [bubble.accuracy],
        "marker": marker(looks[bubble.attention], MARK) | {"opacity": 1},
        "hoverinfo": "skip",
    }


def _faded(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _arrow(base: Bubble, end: Bubble, looks: Looks, widths: dict[str, float]) -> dict[str, Any]:
    """From the middle of the base's circle to the edge of the other's."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "legendgroup": plain(split(end.attention)[0]),
        "showlegend": False,
        "x": [base.step_ms, end.step_ms],
        "y": [base.accuracy, end.accuracy],
        "line": {"color": looks[end.attention].color, "width": 1.5},
        "marker": {
            "symbol": ["circle", "arrow"],
            "size": [0, 11],
            "angleref": "previous",
            "standoff": [0, widths[end.attention] / 2],
            "opacity": 1,
        },
        "hoverinfo": "skip",
    }


def _view(bubbles: Sequence[Bubble]) -> tuple[float, float]:
    """Accuracies that are shown at first: of the bubbles with their bars, and some room."""
    low = min(bubble.accuracy - bubble.error for bubble in bubbles)
    high = max(bubble.accuracy + bubble.error for bubble in bubbles)
    room = max(0.2 * (high - low), 1.0)
    return low - room, high + room


def _range(steps: list[float]) -> list[float]:
    """Of a logarithmic axis, with room for half a circle and for names."""
    low, high = math.log10(min(steps)), math.log10(max(steps))
    room = max(0.12 * (high - low), 0.12)
    return [low - room, high + room]


def _sizes(memory: Sequence[float]) -> tuple[list[dict], list[dict]]:
    """Over the plot: circles of round sizes, in pixels, with the memory that they stand for."""
    shapes, notes, x = [], [], 2.0
    most = max(memory)
    for size in round_sizes(memory):
        width = WIDEST * math.sqrt(size / most)
        place = {"xref": "paper", "yref": "paper", "xsizemode": "pixel", "ysizemode": "pixel"}
        box = {"x0": x, "x1": x + width, "y0": 12, "y1": 12 + width}
        shapes.append(
            {"type": "circle", "xanchor": 0, "yanchor": 1, "line": {"color": FAINT, "width": 1}}
            | place
            | box
        )
        name = f"{figure(size / 1e6)} MB"
        text = {"text": name, "showarrow": False, "font": {"size": 11}}
        shift = {"xshift": x + width + 2, "yshift": 12 + width / 2}
        anchor = {"xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left"}
        notes.append(text | shift | anchor | {"yanchor": "middle"})
        x += width + 14 + 6.5 * len(name)
    return shapes, notes


def _summary(chart: BubbleChart, group: Group) -> str:
    best = max(chart.bubbles, key=lambda b: b.accuracy)
    fast = min(chart.bubbles, key=lambda b: b.step_ms)
    text = (
        f"{counted(len(chart.bubbles), 'attention')}. Highest mean: {best.attention}, "
        f"{best.accuracy:.1f} % at {figure(best.step_ms)} ms a step; fastest: {fast.attention}, "
        f"{fast.accuracy:.1f} % at {figure(fast.step_ms)} ms."
    )
    if not (pairs := chart.arrows):
        return text
    times = statistics.median(end.step_ms / base.step_ms for base, end in pairs)
    memory = statistics.median(end.memory / base.memory for base, end in pairs)
    return (
        f"{text} {counted(len(pairs), 'arrow')} from an attention to itself with a filter: "
        f"{_directions(pairs, group)}; × {times:.2f} the time and × {memory:.2f} the memory "
        "(medians)."
    )


def _directions(pairs: Sequence[tuple[Bubble, Bubble]], group: Group) -> str:
    """How many accuracies rise and fall, seed by seed, and how many differ by no more than chance
    would have it."""
    found = [group.difference(end.attention) for _, end in pairs]
    told = [difference.mean for difference in found if difference.separable]
    up = sum(mean > 0 for mean in told)
    return f"{up} up, {len(told) - up} down, {len(pairs) - len(told)} not told apart from 0"
