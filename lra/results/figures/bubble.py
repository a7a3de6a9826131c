"""Accuracy against training time, a circle's area for memory, arrows to the filtered attention."""

from collections.abc import Iterable

from attention_zoo.spec import base_of
from lra.measure.memory import HEADLINE_MEMORY, METHODS
from lra.results.captions import details_of, figure_footer, file_name, group_title
from lra.results.comparable import Recorded
from lra.results.figures.chart import Chart, Panel, log_axis
from lra.results.figures.notes import (
    BARS,
    accuracy_axis,
    accuracy_series,
    failures_of,
    levels_of,
    listed,
)
from lra.results.figures.palette import split
from lra.results.numbers import counted, figure
from lra.results.summary import Group, cost_groups


def bubble_charts(records: Iterable[Recorded]) -> list[Chart]:
    """One for each group of runs whose costs may be compared, if any was measured."""
    groups = cost_groups(records)
    return [_chart(one) for one in groups if any(s.measured for s in one.attentions.values())]


def _chart(group: Group) -> Chart:
    shown = [summary for summary in group.attentions.values() if summary.measured]
    first, levels = group.first, levels_of(group.first)
    names = [summary.attention for summary in shown]
    arrows = [(base, name) for name in names if (base := base_of(name)) in names]
    filters = sorted({found for name in names if (found := split(name)[1])})
    accuracy, near = accuracy_axis("test accuracy, %", shown, levels)
    time = log_axis("training step, ms", [summary.step_ms for summary in shown], 0.12)
    series = []
    for one in shown:
        base = dict(map(reversed, arrows)).get(one.attention)
        # At the end of an arrow stand the filters alone, or nothing if all have the same.
        label = one.attention if base is None else one.attention[len(base) :] * (len(filters) > 1)
        numbers = {time.title: one.step_ms, "memory, MB": one.memory / 1e6, "arrow from": base}
        more = {"area": one.memory, "texts": [label]}
        series.append(accuracy_series(one, one.step_ms, one.mean, numbers, **more))
    measured = shown[0].measured[0]
    without = [s.attention for s in group.attentions.values() if s.runs and not s.measured]
    least, most = (figure(end(one.memory for one in shown) / 1e6) for end in (min, max))
    hidden = [f"{rule} {share:.1f} %" for rule, share in levels.items() if rule not in near]
    best = max(shown, key=lambda one: one.mean)
    fast = min(shown, key=lambda one: one.step_ms)
    ends = (
        f"{what}: {one.attention}, {one.mean:.1f} % at {figure(one.step_ms)} ms a step"
        for what, one in (("Highest mean", best), ("fastest", fast))
    )
    words = (group.task, first.data.source, first.protocol.name, first.environment.device)
    return Chart(
        file_name("bubble", words, (group.conditions, group.column, group.machine)),
        group_title(first),
        details_of(first),
        [Panel(time, accuracy, series, near, arrows)],
        [
            f"Training step at batch {measured.batch}, N = {measured.length:,}.",
            f"Area: {METHODS[HEADLINE_MEMORY[first.accelerator]]} of a training step, "
            + (f"{least} MB." if least == most else f"from {least} to {most} MB."),
            BARS,
            *listed("Hollow", [f"+{name}" for name in filters]),
            *listed("Outside the view", hidden),
            *listed("Not measured", without),
            *listed("Without a result", failures_of(group)),
            figure_footer(group),
        ],
        f"{counted(len(shown), 'attention')}. {'; '.join(ends)}.",
    )
