"""Accuracy by task in matplotlib: a row an attention, a panel a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lra.results.figures.palette import Looks, split
from lra.results.figures.style import (
    COLUMN,
    GREY,
    LINE,
    MARGIN,
    POINT,
    SIZE,
    TEXT,
    page,
    styled,
    width_of,
    wrapped,
)
from lra.results.figures.tasks import Column, Point, TaskChart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, STEP = 1.5 * SIZE, 0.9 * SIZE  # points: of an attention, and of each filter on it
BELOW, GAP = 0.36, 0.16  # inches: for tick labels, between panels
LEAST = 0.75  # inches, of a panel; with very long names the page is wider


def draw_tasks(chart: TaskChart, looks: Looks) -> Figure:
    with styled():
        attentions = {point.attention for point in chart.points}
        places, names, height = rows_of(attentions)
        left = max(map(width_of, names)) * POINT + 0.12
        panels = len(chart.columns)
        across = TEXT if panels > 2 or left > COLUMN / 2 else COLUMN
        across = max(across, left + MARGIN + panels * (LEAST + GAP))
        each = (across - left - MARGIN) / panels - GAP
        titles = [_title(column, each) for column in chart.columns]
        head = max(map(len, titles)) * LINE + MARGIN
        room = head + height * POINT + BELOW
        more = ["Dashes: chance, where it is near.", *filled_note(attentions)]
        sheet = page(chart.caption, across, room, more)
        for i, (column, title) in enumerate(zip(chart.columns, titles, strict=True)):
            axes = sheet.axes(left + i * (each + GAP), BELOW, each, height * POINT)
            axes.set(ylim=(height, 0), xlabel="accuracy (%)")
            axes.set_title("\n".join(title), loc="left", linespacing=1.1)
            axes.set_yticks(list(names.values()), names if i == 0 else [""] * len(names))
            axes.grid(axis="y", linewidth=0.3, color="#DDDDDD")
            axes.set_axisbelow(True)
            points = [point for point in chart.points if point.column == i]
            _points(axes, points, looks, places)
            _view(axes, points, column.chance, each)
        return sheet.figure


def _title(column: Column, width: float) -> list[str]:
    lines = [*column.label.split("\n"), f"chance {column.chance:.1f}"]
    return [part for line in lines for part in wrapped(line, width / POINT)]


def _view(axes: Axes, points: Sequence[Point], chance: float, width: float) -> None:
    """Limits about the points, wider by up to half where that brings chance into view."""
    from matplotlib.ticker import MaxNLocator

    low = min(point.accuracy - point.error for point in points)
    high = max(point.accuracy + point.error for point in points)
    span = max(high - low, 1.0)
    if low - span / 2 <= chance <= high + span / 2:
        axes.axvline(chance, color=GREY, linewidth=0.7, dashes=(3, 2), label="chance", zorder=1)
        low, high = min(low, chance), max(high, chance)
    axes.set_xlim(low - 0.08 * span, high + 0.08 * span)
    several = max(2, int(width / 0.35))
    axes.xaxis.set_major_locator(MaxNLocator(several, steps=[1, 2, 2.5, 5, 10]))


def filled_note(attentions: set[str]) -> list[str]:
    filters = {split(name)[1] for name in attentions} - {""}
    names = f"+{min(filters)}" if len(filters) == 1 else "with a filter"
    return [f"Filled: no filter. Hollow: {names}."] if filters else []


def rows_of(attentions: set[str]) -> tuple[dict[str, float], dict[str, float], float]:
    """Where each attention stands and where its row's name does, and the height: points from the
    top. One with filters stands under the one without, in the same row, whose name is a line each
    where several filters are shown."""
    filters = {split(name)[1] for name in attentions} - {""}
    alone = len(filters) < 2
    places: dict[str, float] = {}
    names: dict[str, float] = {}
    y = 0.0
    for base in sorted({split(name)[0] for name in attentions}):
        family = sorted(name for name in attentions if split(name)[0] == base)
        start = y + ROW / 2
        for i, name in enumerate(family):
            places[name] = start + i * (STEP if alone else ROW)
            if not alone:
                names[name] = places[name]
        if alone:
            names[family[0]] = start
            if len(family) > 1:
                names[family[0]] = (places[family[0]] + places[family[-1]]) / 2
        y = places[family[-1]] + ROW / 2 + 2
    return places, names, y


def _points(axes: Axes, points: Sequence[Point], looks: Looks, places: dict[str, float]) -> None:
    for point in points:
        look = looks[point.attention]
        axes.errorbar(
            [point.accuracy],
            [places[point.attention]],
            xerr=[point.error],
            color=look.color,
            marker=look.marker,
            markersize=4,
            markerfacecolor=look.color if look.filled else "white",
            markeredgewidth=0.8,
            elinewidth=0.7,
            capsize=1.5,
            label=point.attention,
        )
