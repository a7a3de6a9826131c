"""Accuracy by task, each attention beside its filtered one."""

from collections.abc import Iterable
from dataclasses import dataclass

from lra.results.captions import (
    Caption,
    conditions_of,
    data_of,
    figure_footer,
    file_name,
    labelled,
)
from lra.results.comparable import Recorded
from lra.results.figures.bubble import bars, error_of, failures_of
from lra.results.record import Record
from lra.results.summary import Group, accuracy_groups
from lra.tasks import TASKS, get_task


@dataclass(frozen=True)
class Point:
    """accuracy in percent, the mean of n seeds, and its error as a Bubble's; column: the place of
    its task among the chart's."""

    attention: str
    column: int
    accuracy: float
    error: float
    n: int


@dataclass(frozen=True)
class Column:
    """A task under one protocol on one set of data. chance: percent."""

    label: str
    chance: float


@dataclass(frozen=True)
class TaskChart:
    """What has the same protocol and precision, whatever the task."""

    caption: Caption
    columns: tuple[Column, ...]
    points: tuple[Point, ...]
    failures: tuple[str, ...]


def task_charts(records: Iterable[Recorded]) -> list[TaskChart]:
    by_conditions: dict[tuple, list[Group]] = {}
    for group in accuracy_groups(records):
        if isinstance(group.first, Record):
            by_conditions.setdefault(group.conditions, []).append(group)
    return labelled([_chart(key, groups) for key, groups in by_conditions.items()])


def _chart(key: tuple, groups: list[Group]) -> TaskChart:
    order = list(TASKS)
    groups = sorted(groups, key=lambda group: (order.index(group.task), repr(group.column)))
    points = [
        Point(name, i, summary.mean, error_of(summary), len(summary.runs))
        for i, group in enumerate(groups)
        for name, summary in group.attentions.items()
        if summary.runs
    ]
    failures = tuple(
        f"{group.task}: {failure}" for group in groups for failure in failures_of(group)
    )
    first = groups[0].first
    notes = (
        f"Bars: {bars(points)}.",
        *([f"Without a result: {'; '.join(failures)}."] if failures else []),
    )
    caption = Caption(
        file_name("tasks", (first.protocol.name, first.accelerator, first.precision), key),
        f"Test accuracy, {conditions_of(first)}",
        notes,
        figure_footer([record for group in groups for record in group.records]),
        (),
    )
    return TaskChart(caption, tuple(_columns(groups)), tuple(points), failures)


def _columns(groups: list[Group]) -> Iterable[Column]:
    for group in groups:
        twins = [other for other in groups if other.task == group.task]
        sources = [other.first.data.source for other in twins]
        label = f"{group.task}\n{data_of(group.first)}"
        if len(set(sources)) < len(sources):  # the fingerprint tells their data apart
            label += f"\n{group.first.data.fingerprint[:8]}"
        yield Column(label, 100 * get_task(group.task).metadata.chance)
