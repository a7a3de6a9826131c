"""Accuracy by task, each attention beside its filtered one."""

from collections.abc import Iterable, Sequence

from lra.results.captions import (
    by_conditions,
    conditions_of,
    figure_footer,
    file_name,
)
from lra.results.comparable import Recorded
from lra.results.figures.chart import Axis, Chart, Panel
from lra.results.figures.notes import (
    BARS,
    accuracy_axis,
    accuracy_series,
    failures_of,
    levels_of,
    listed,
)
from lra.results.figures.palette import split
from lra.results.record import Record
from lra.results.summary import Group, accuracy_groups


def task_charts(records: Iterable[Recorded]) -> list[Chart]:
    """One for each protocol and precision, with a panel a task."""
    with_results = [one for one in accuracy_groups(records) if isinstance(one.first, Record)]
    return [_chart(groups) for groups in by_conditions(with_results)]


def _chart(groups: Sequence[Group]) -> Chart:
    first = groups[0].first
    shown = [[s for s in group.attentions.values() if s.runs] for group in groups]
    names = sorted({summary.attention for of in shown for summary in of}, key=split)
    rows = Axis("", ticks=list(enumerate(names)), range=(len(names) - 0.5, -0.5))
    panels, best, failures = [], [], []
    for group, summaries in zip(groups, shown, strict=True):
        chance = levels_of(group.first)["chance"]
        title = f"{group.label}, %\nchance {chance:.1f}"
        accuracy, near = accuracy_axis(title, summaries, {"chance": chance})
        series = [
            accuracy_series(one, one.mean, names.index(one.attention), {"task": group.label})
            for one in summaries
        ]
        panels.append(Panel(accuracy, rows, series, near, rows=True))
        highest = max(summaries, key=lambda one: one.mean)
        best.append(f"{group.label}: {highest.attention}, {highest.mean:.1f} %")
        failures += [f"{group.label}: {failure}" for failure in failures_of(group)]
    words = (first.protocol.name, first.accelerator, first.precision)
    return Chart(
        file_name("tasks", words, groups[0].conditions),
        f"Test accuracy, {conditions_of(first)}",
        (),
        panels,
        [
            BARS,
            "Dashes: chance, where it is near.",
            *listed("Without a result", failures),
            figure_footer(*groups),
        ],
        f"Test accuracy. Highest mean on {'; '.join(best)}.",
    )
