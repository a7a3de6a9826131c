"""A legend of lines under the axes, in as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lra.results.figures.palette import Look
from lra.results.figures.style import LINE, MARGIN, POINT, Page, width_of

SAMPLE, GAP = 22.0, 12.0  # points: of a line, and between columns


def line_style(look: Look) -> dict[str, Any]:
    return {
        "color": look.color,
        "dashes": look.dashes,
        "marker": look.marker,
        "markersize": 3.5,
        "markerfacecolor": look.color if look.filled else "white",
        "markeredgewidth": 0.7,
        "linewidth": 1.0,
    }


def legend_height(texts: Sequence[str], width: float) -> float:
    """Inches, of a width in inches."""
    return _rows(texts, width) * LINE + MARGIN


def draw_legend(sheet: Page, bottom: float, entries: Sequence[tuple[str, Look]]) -> None:
    """Read down, then across."""
    texts = [text for text, _ in entries]
    width = sheet.width - 2 * MARGIN
    height = legend_height(texts, width)
    axes = sheet.axes(MARGIN, bottom, width, height)
    axes.set(xlim=(0, width / POINT), ylim=(0, height / POINT))
    axes.set_axis_off()
    rows, step = _rows(texts, width), _column(texts)
    for i, (text, look) in enumerate(entries):
        x, y = i // rows * step, (height - (i % rows + 0.5) * LINE) / POINT
        ends = [x + 1, x + SAMPLE / 2, x + SAMPLE - 1]
        axes.plot(ends, [y] * 3, markevery=[1], label=text, **line_style(look))
        axes.text(x + SAMPLE + 3, y, text, va="center_baseline")


def _column(texts: Sequence[str]) -> float:
    """Points."""
    return SAMPLE + 3 + max(map(width_of, texts)) + GAP


def _rows(texts: Sequence[str], width: float) -> int:
    columns = max(1, int((width / POINT + GAP) // _column(texts)))
    return -(-len(texts) // columns)
