"""Learning curves: validation accuracy and training loss against steps."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from lra.results.comparable import column, conditions, once
from lra.results.curves import Curve
from lra.results.figures.captions import Caption, conditions_of, data_of, file_name, footer
from lra.results.record import Record
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
    chance: percent. missing: why runs are not there, a line each."""

    caption: Caption
    accuracy: tuple[Trace, ...]
    loss: tuple[Trace, ...]
    chance: float
    missing: tuple[str, ...]


def curve_charts(runs: Iterable[tuple[Record, Curve]]) -> list[CurveChart]:
    """One for each task, data and protocol of which any run has a curve."""
    runs = list(runs)
    curves = {id(record): curve for record, curve in runs}
    groups: dict[tuple, list[tuple[Record, Curve]]] = {}
    for record in once(record for record, _ in runs):
        key = conditions(record), column(record)
        groups.setdefault(key, []).append((record, curves[id(record)]))
    return [
        _chart(key, group)
        for key, group in sorted(groups.items(), key=lambda item: repr(item[0]))
        if any(curve.points for _, curve in group)
    ]


def _chart(key: tuple, group: list[tuple[Record, Curve]]) -> CurveChart:
    first = group[0][0]
    name = file_name("curves", (first.task, first.data.source, first.protocol.name), key)
    title = f"{first.task}, {data_of(first)}, {conditions_of(first)}"
    missing = tuple(curve.missing for _, curve in group if curve.missing)
    shown = [(record, curve) for record, curve in group if curve.points]
    loss, window = _windowed(_traces(shown, "train_loss", 1.0))
    notes = (
        "Accuracy on the validation data, loss of training batches"
        + (f", means over windows of {window:,} steps." if window else "."),
        *(
            ["Thin: each seed. Thick: their mean."]
            if len({record.seed for record, _ in shown}) > 1
            else []
        ),
        *([f"{len(missing)} runs without a curve are not shown."] if missing else []),
    )
    caption = Caption(name, title, notes, footer(record for record, _ in shown))
    return CurveChart(
        caption,
        with_means(_traces(shown, "val_accuracy", 100.0)),
        with_means(loss),
        100 * get_task(first.task).metadata.chance,
        missing,
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
    """Each attention's seeds, then their mean where there are several."""
    by_attention: dict[str, list[Trace]] = {}
    for trace in traces:
        by_attention.setdefault(trace.attention, []).append(trace)
    return tuple(
        trace
        for seeds in by_attention.values()
        for trace in (*seeds, *([mean_trace(seeds)] if len(seeds) > 1 else []))
    )


def mean_trace(traces: list[Trace]) -> Trace:
    """The mean of one attention's seeds."""
    values = [dict(zip(trace.steps, trace.values, strict=True)) for trace in traces]
    steps = tuple(sorted(set.intersection(*map(set, values))))
    means = tuple(statistics.fmean(of[step] for of in values) for step in steps)
    return Trace(traces[0].attention, None, steps, means)
