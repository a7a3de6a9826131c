"""Learning curves: validation accuracy and training loss against steps."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lra.results.captions import (
    Caption,
    conditions_of,
    data_of,
    details_of,
    figure_footer,
    file_name,
    labelled,
)
from lra.results.comparable import Recorded
from lra.results.curves import Curve
from lra.results.figures.bubble import failures_of
from lra.results.record import Record
from lra.results.summary import Group, accuracy_groups
from lra.tasks import get_task


@dataclass(frozen=True)
class Trace:
    """seed: None for the mean over seeds, at the steps that all of them have."""

    attention: str
    seed: int | None
    steps: tuple[int, ...]
    values: tuple[float, ...]


WINDOWS = 100  # points of a training loss at most


@dataclass(frozen=True)
class CurveChart:
    """What is comparable in accuracy. accuracy: on the validation data, in percent; loss: of
    training batches, in nats, means over windows of steps where more than WINDOWS were logged.
    chance: percent. missing: why runs with a result are not there, a line
    each; failures: runs without one, as a BubbleChart's."""

    caption: Caption
    accuracy: tuple[Trace, ...]
    loss: tuple[Trace, ...]
    chance: float
    missing: tuple[str, ...]
    failures: tuple[str, ...]


def curve_charts(runs: Iterable[tuple[Recorded, Curve]]) -> list[CurveChart]:
    """One for each task, data and protocol of which any run has a curve. Those without a result
    are named; their curves are not looked at."""
    curves = {id(record): (record, curve) for record, curve in runs}
    groups = accuracy_groups(record for record, _ in curves.values())
    charts = []
    for group in groups:
        found = [curves[id(record)] for record in group.records if isinstance(record, Record)]
        if any(curve.points for _, curve in found):
            charts.append(_chart(group, found))
    return labelled(charts)


def _chart(group: Group, found: Sequence[tuple[Record, Curve]]) -> CurveChart:
    first = group.first
    key = group.conditions, group.column
    missing = tuple(curve.missing for _, curve in found if curve.missing)
    shown = [(record, curve) for record, curve in found if curve.points]
    failures = failures_of(group)
    loss, window = _windowed(_traces(shown, "train_loss", 1.0))
    notes = (
        "Accuracy on the validation data, loss of training batches"
        + (f", means over windows of {window:,} steps." if window else "."),
        *([f"Without a curve: {len(missing)} run{'s' * (len(missing) > 1)}."] if missing else []),
        *([f"Without a result: {', '.join(failures)}."] if failures else []),
    )
    caption = Caption(
        file_name("curves", (group.task, first.data.source, first.protocol.name), key),
        f"{group.task}, {data_of(first)}, {conditions_of(first)}",
        notes,
        figure_footer([record for record, _ in shown]),
        details_of(first)[1:],  # accuracies of several machines stand together
    )
    return CurveChart(
        caption,
        with_means(_traces(shown, "val_accuracy", 100.0)),
        with_means(loss),
        100 * get_task(group.task).metadata.chance,
        missing,
        failures,
    )


def _traces(shown: list[tuple[Record, Curve]], quantity: str, scale: float) -> list[Trace]:
    traces = []
    for record, curve in shown:
        logged = [(point.step, getattr(point, quantity)) for point in curve.points]
        kept = [(step, scale * value) for step, value in logged if value is not None]
        if kept:
            traces.append(Trace(record.attention, record.seed, *zip(*kept, strict=True)))
    return traces


def _windowed(traces: list[Trace]) -> tuple[list[Trace], int | None]:
    """Each window's mean at its last step; the windows' length, None where none are needed."""
    if max((len(trace.steps) for trace in traces), default=0) <= WINDOWS:
        return traces, None
    length = math.ceil(max(trace.steps[-1] for trace in traces) / WINDOWS)
    means = []
    for trace in traces:
        values: dict[int, list[float]] = {}
        for step, value in zip(trace.steps, trace.values, strict=True):
            values.setdefault(math.ceil(step / length) * length, []).append(value)
        mean = tuple(map(statistics.fmean, values.values()))
        means.append(Trace(trace.attention, trace.seed, tuple(values), mean))
    return means, length


def with_means(traces: list[Trace]) -> tuple[Trace, ...]:
    """Each attention's seeds, then their mean where several share a step."""
    by_attention: dict[str, list[Trace]] = {}
    for trace in traces:
        by_attention.setdefault(trace.attention, []).append(trace)
    found: list[Trace] = []
    for seeds in by_attention.values():
        found += seeds
        if len(seeds) > 1 and (mean := mean_trace(seeds)).steps:
            found.append(mean)
    return tuple(found)


def mean_trace(traces: list[Trace]) -> Trace:
    """The mean of one attention's seeds, without steps where they share none."""
    values = [dict(zip(trace.steps, trace.values, strict=True)) for trace in traces]
    steps = tuple(sorted(set.intersection(*map(set, values))))
    means = tuple(statistics.fmean(of[step] for of in values) for step in steps)
    return Trace(traces[0].attention, None, steps, means)
