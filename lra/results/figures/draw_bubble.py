"""The bubble figure in matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lra.results.figures.bubble import Bubble, BubbleChart, filters_of, label_of, round_sizes
from lra.results.figures.bubble_legend import (
    DIAMETER,
    draw_legend,
    strip_of,
)
from lra.results.figures.labels import Box, Circle, Segment, place
from lra.results.figures.palette import Looks
from lra.results.figures.style import (
    COLUMN,
    GREY,
    POINT,
    SIZE,
    TEXT,
    darker,
    log_ticks,
    page,
    styled,
    ticks,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 8  # bubbles up to which a column is wide enough
LEADER = {"arrowstyle": "-", "linewidth": 0.4, "shrinkA": 0, "shrinkB": 0}
LEFT, RIGHT, BELOW = 0.45, 0.1, 0.38  # inches, round the axes


@dataclass(frozen=True)
class Points:
    """Places in the axes, in points from their lower left corner."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float
    height: float

    def __call__(self, step_ms: float, accuracy: float) -> tuple[float, float]:
        (left, right), (low, high) = self.x, self.y
        across = math.log(step_ms / left) / math.log(right / left)
        return across * self.width, (accuracy - low) / (high - low) * self.height


def draw_bubbles(chart: BubbleChart, looks: Looks) -> Figure:
    with styled():
        few = len(chart.bubbles) <= FEW
        across, up = (COLUMN, 2.4) if few else (TEXT, 4.4)
        view = _view(chart.bubbles, (across - LEFT - RIGHT) / POINT, up / POINT)
        hidden = [level for level in chart.levels if not view[1][0] < level.accuracy < view[1][1]]
        more = [f"{level.rule}: {level.accuracy:.1f} %" for level in hidden]
        out_of_view = [f"Outside the view: {', '.join(more)}."] if more else []
        sheet = page(chart.caption, across, BELOW + up + strip_of(chart), out_of_view)
        axes = sheet.axes(LEFT, BELOW, across - LEFT - RIGHT, up)
        axes.set(xscale="log", xlim=view[0], ylim=view[1])
        axes.set_xlabel("training step (ms; also seconds per 1,000 steps)")
        axes.set_ylabel("test accuracy (%)")
        ticks(axes.xaxis, log_ticks(*view[0]))
        shown_sizes = round_sizes([bubble.memory for bubble in chart.bubbles])
        scale = DIAMETER**2 / max(*shown_sizes, *(bubble.memory for bubble in chart.bubbles))
        at = Points(*view, (across - LEFT - RIGHT) / POINT, up / POINT)
        taken = _levels(axes, chart, at)
        for bubble in sorted(chart.bubbles, key=lambda bubble: -bubble.memory):
            _bubble(axes, bubble, looks, scale)
        for start, end in chart.arrows:
            _arrow(axes, start, end, looks)
        _labels(axes, chart, looks, scale, at, taken)
        draw_legend(sheet, chart, shown_sizes, scale, BELOW + up)
        return sheet.figure


Range = tuple[float, float]


def _view(bubbles: Sequence[Bubble], width: float, height: float) -> tuple[Range, Range]:
    """Limits of both axes with room for whole circles and labels beside them; points."""
    x = [math.log10(bubble.step_ms) for bubble in bubbles]
    low = [bubble.accuracy - bubble.error for bubble in bubbles]
    high = [bubble.accuracy + bubble.error for bubble in bubbles]
    left, right = _wider(min(x), max(x), 0.1, width, DIAMETER)
    return (10**left, 10**right), _wider(min(low), max(high), 1.0, height, 0.7 * DIAMETER)


def _wider(low: float, high: float, least: float, length: float, margin: float) -> Range:
    """A range of at least `least`, with `margin` of the `length` points left free at each end."""
    center, half = (low + high) / 2, max(high - low, least) / 2
    half *= length / (length - 2 * margin)
    return center - half, center + half


def _bubble(axes: Axes, bubble: Bubble, looks: Looks, scale: float) -> None:
    look = looks[bubble.attention]
    place = [bubble.step_ms], [bubble.accuracy]
    face = (look.color, 0.3) if look.filled else "none"
    size = [bubble.memory * scale]
    named = {"gid": bubble.attention, "zorder": 2}
    axes.scatter(*place, s=size, facecolor=face, edgecolor=look.color, linewidth=0.8, **named)
    axes.errorbar(
        *place,
        yerr=[bubble.error],
        color=look.color,
        marker=look.marker,
        markersize=3,
        markerfacecolor=look.color if look.filled else "white",
        markeredgewidth=0.6,
        elinewidth=0.6,
        capsize=1.5,
        capthick=0.6,
        zorder=3,
        label=bubble.attention,
    )


def _arrow(axes: Axes, start: Bubble, end: Bubble, looks: Looks) -> None:
    axes.annotate(
        "",
        xy=(end.step_ms, end.accuracy),
        xytext=(start.step_ms, start.accuracy),
        arrowprops={
            "arrowstyle": "-|>,head_length=0.35,head_width=0.18",
            "color": looks[end.attention].color,
            "linewidth": 0.8,
            "shrinkA": 2,
            "shrinkB": 2,
        },
        zorder=4,
    )


def _levels(axes: Axes, chart: BubbleChart, at: Points) -> list[Box]:
    """A line each, named at the end where fewer bubbles are; the boxes of their names."""
    boxes = []
    low, high = axes.get_ylim()
    for level in (level for level in chart.levels if low < level.accuracy < high):
        axes.axhline(level.accuracy, color=GREY, linewidth=0.6, dashes=(3, 2), zorder=1)
        name = f"{level.rule} {level.accuracy:.1f}"
        half, y = width_of(name) / 2, at(1, level.accuracy)[1] + 1 + SIZE / 2
        ends = [Box(x, y, 2 * half, SIZE) for x in (at.width - half, half)]
        marks = [at(bubble.step_ms, bubble.accuracy) for bubble in chart.bubbles]
        box = min(ends, key=lambda box: sum(_near(box, mark) for mark in marks))
        x = (box.x + half) / at.width if box is ends[0] else 0
        axes.annotate(
            name,
            (x, level.accuracy),
            xycoords=("axes fraction", "data"),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="right" if x else "left",
            color=GREY,
        )
        boxes.append(box)
    return boxes


def _near(box: Box, mark: tuple[float, float]) -> bool:
    reach = DIAMETER / 2
    across, up = abs(mark[0] - box.x), abs(mark[1] - box.y)
    return across < box.width / 2 + reach and up < box.height / 2 + reach


def _labels(
    axes: Axes, chart: BubbleChart, looks: Looks, scale: float, at: Points, taken: list[Box]
) -> None:
    """Each beside its circle; those that stand off have a line to it."""
    circles, segments, sizes = [], [], []
    filters = filters_of(chart)
    names = [label_of(bubble, filters) for bubble in chart.bubbles]
    for bubble, name in zip(chart.bubbles, names, strict=True):
        radius = math.sqrt(bubble.memory * scale) / 2
        circles.append(Circle(*at(bubble.step_ms, bubble.accuracy), radius))
        sizes.append((width_of(name) + 2, SIZE + 1) if name else None)
        ends = [at(bubble.step_ms, bubble.accuracy + s * bubble.error) for s in (-1, 1)]
        segments.append(Segment(*ends[0], *ends[1]))
    segments += [
        Segment(*at(a.step_ms, a.accuracy), *at(b.step_ms, b.accuracy)) for a, b in chart.arrows
    ]
    low, high = axes.get_ylim()
    lines = [at(1, level.accuracy)[1] for level in chart.levels if low < level.accuracy < high]
    segments += [Segment(0, y, at.width, y) for y in lines]
    boxes = place(circles, sizes, segments, taken, (at.width, at.height))
    for bubble, name, circle, box in zip(chart.bubbles, names, circles, boxes, strict=True):
        if box is not None:
            color = looks[bubble.attention].color
            axes.annotate(
                name,
                xy=(bubble.step_ms, bubble.accuracy),
                xytext=(box.x - circle.x, box.y - circle.y),
                textcoords="offset points",
                ha="center",
                va="center",
                color=darker(color),
                arrowprops=LEADER | {"color": color} if _stands_off(box, circle) else None,
                zorder=5,
            )


def _stands_off(box: Box, circle: Circle) -> bool:
    across = max(abs(box.x - circle.x) - box.width / 2, 0)
    up = max(abs(box.y - circle.y) - box.height / 2, 0)
    return math.hypot(across, up) > circle.radius + 8
