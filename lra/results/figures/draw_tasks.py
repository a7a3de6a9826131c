"""Accuracy by task in matplotlib: a row an attention, a panel a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lra.results.figures.palette import Looks, split
from lra.results.figures.style import (
    COLUMN,
    GREY,
    MARGIN,
    POINT,
    SIZE,
    TEXT,
    page,
    styled,
    width_of,
)
from lra.results.figures.tasks import TaskChart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, STEP = 1.5 * SIZE, 0.9 * SIZE  # points: of an attention, and of each filter on it
HEAD, BELOW, GAP = 0.42, 0.36, 0.12  # inches: for titles, tick labels, between panels


def draw_tasks(chart: TaskChart, looks: Looks) -> Figure:
    with styled():
        from matplotlib.ticker import MaxNLocator

        places, names, height = rows_of({point.attention for point in chart.points})
        left = max(width_of(name) for name in names) * POINT + 0.12
        across = TEXT if len(chart.columns) > 2 or left > COLUMN / 2 else COLUMN
        more = filled_note({point.attention for point in chart.points})
        sheet = page(chart.caption, across, HEAD + height * POINT + BELOW, more)
        each = (across - left - MARGIN) / len(chart.columns) - GAP
        for i, column in enumerate(chart.columns):
            x = left + i * (each + GAP)
            axes = sheet.axes(x, BELOW, each, height * POINT)
            axes.set(ylim=(height, 0), xlabel="accuracy (%)")
            axes.set_title(column.label, loc="left")
            axes.axvline(column.chance, color=GREY, linewidth=0.7, dashes=(3, 2), label="chance")
            axes.set_yticks(list(names.values()), names if i == 0 else [""] * len(names))
            axes.grid(axis="y", linewidth=0.3, color="#DDDDDD")
            axes.set_axisbelow(True)
            _points(axes, chart, i, looks, places)
            axes.margins(x=0.08)
            axes.xaxis.set_major_locator(MaxNLocator(3))
        return sheet.figure


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


def _points(
    axes: Axes, chart: TaskChart, column: int, looks: Looks, places: dict[str, float]
) -> None:
    for point in chart.points:
        if point.column == column:
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
