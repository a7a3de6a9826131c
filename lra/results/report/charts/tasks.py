"""Accuracy by task."""

from typing import Any

from lra.results.figures.palette import Looks, split
from lra.results.figures.tasks import Point, TaskChart
from lra.results.report.charts.chart import (
    Chart,
    axis,
    counted,
    hover,
    layout,
    level,
    marker,
    marks_line,
    plain,
    table,
)

KIND = "Accuracy by task"
SPREAD = 0.8  # the part of a task's column that its points take


def task_figure(chart: TaskChart, looks: Looks) -> Chart:
    """A column a task; in it each attention has the same place, its filtered one the next."""
    names = sorted({point.attention for point in chart.points}, key=split)
    places = {name: SPREAD * ((i + 0.5) / len(names) - 0.5) for i, name in enumerate(names)}
    labels = [column.label.replace("\n", ", ") for column in chart.columns]
    shapes = [
        shape
        for i, column in enumerate(chart.columns)
        for shape in level(column.chance, None, xref="x", x0=i - 0.5, x1=i + 0.5)[0]
    ]
    ticks = {
        "tickvals": list(range(len(labels))),
        "ticktext": [plain(column.label).replace("\n", "<br>") for column in chart.columns],
        "range": [-0.5, len(labels) - 0.5],
    }
    return Chart(
        KIND,
        chart.caption.label,
        _summary(chart, labels),
        (*chart.caption.notes, marks_line(looks, names), "Dashes: chance.", chart.caption.footer),
        [
            _trace(name, [p for p in chart.points if p.attention == name], looks, places, labels)
            for name in names
        ],
        layout(axis("", **ticks), axis("test accuracy, %"), shapes=shapes),
        table(
            chart.caption,
            ("attention", "task", "test accuracy %", "±", "seeds"),
            ((p.attention, labels[p.column], p.accuracy, p.error, p.n) for p in chart.points),
        ),
    )


def _trace(
    name: str, points: list[Point], looks: Looks, places: dict[str, float], labels: list[str]
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(name),
        "x": [point.column + places[name] for point in points],
        "y": [point.accuracy for point in points],
        "error_y": {"array": [p.error for p in points], "thickness": 1, "width": 2},
        "marker": marker(looks[name], 9),
        "hoverinfo": "text",
        "hovertext": [
            hover(
                name,
                labels[point.column],
                f"{point.accuracy:.2f} ± {point.error:.1f} %, n = {point.n}",
            )
            for point in points
        ],
    }


def _summary(chart: TaskChart, labels: list[str]) -> str:
    best = [
        max((p for p in chart.points if p.column == i), key=lambda p: p.accuracy, default=None)
        for i in range(len(labels))
    ]
    found = [
        f"{label}: {point.attention}, {point.accuracy:.1f} %"
        for label, point in zip(labels, best, strict=True)
        if point
    ]
    return (
        f"Test accuracy on {counted(len(labels), 'task')}. Best in the mean on {'; '.join(found)}."
    )
