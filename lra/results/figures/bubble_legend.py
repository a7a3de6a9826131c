"""The bubble figure's legend: circles of round sizes, and what is filled and what is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lra.results.figures.bubble import BubbleChart, filters_of
from lra.results.figures.style import GREY, MARGIN, POINT, SIZE, Page, memory, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIAMETER = 26.0  # points, of the largest circle


def draw_legend(
    sheet: Page, chart: BubbleChart, sizes: list[float], scale: float, bottom: float
) -> None:
    """Over the axes: circles of round sizes, and under them what is filled and what is not."""
    filters = filters_of(chart)
    height = strip_of(chart) - MARGIN
    strip = sheet.axes(MARGIN, bottom + MARGIN, sheet.width - 2 * MARGIN, height)
    strip.set(xlim=(0, (sheet.width - 2 * MARGIN) / POINT), ylim=(0, height / POINT))
    strip.set_axis_off()
    row, x = height / POINT - DIAMETER / 2 - 1, 0.0
    for size in sizes:
        x = _entry(strip, x, row, "none", size * scale, memory(size))
    if filters:
        names = f"+{next(iter(filters))}" if len(filters) == 1 else "with a filter"
        x = _entry(strip, 0, 0.7 * SIZE, ((0, 0, 0), 0.3), SIZE**2, "no filter")
        _entry(strip, x, 0.7 * SIZE, "none", SIZE**2, names)


def strip_of(chart: BubbleChart) -> float:
    """Inches that the legend takes."""
    return (DIAMETER + 4 + (1.6 * SIZE if filters_of(chart) else 0)) * POINT + MARGIN


def _entry(strip: Axes, x: float, y: float, face: object, area: float, text: str) -> float:
    """Where the next one starts."""
    diameter = math.sqrt(area)
    center = [x + diameter / 2 + 1], [y]
    strip.scatter(*center, s=[area], facecolor=face, edgecolor=GREY, linewidth=0.8, gid=text)
    x += diameter + 4
    strip.text(x, y, text, va="center")
    return x + width_of(text) + 10
