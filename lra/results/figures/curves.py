"""Learning curves: validation accuracy and training loss against steps."""

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


@dataclass(frozen=True)
class CurveChart:
    """What is comparable in accuracy. accuracy: on the validation data, in percent; loss: of
    training batches, in nats. chance: percent. missing: why runs are not there, a line each."""

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
    shown = [(record, curve) for record, curve in group if curve.points]
    notes = ("Thin: each seed. Thick: their mean.",) if _seeds(shown) > 1 else ()
    caption = Caption(name, title, notes, footer(record for record, _ in shown))
    return CurveChart(
        caption,
        _traces(shown, "val_accuracy", 100.0),
        _traces(shown, "train_loss", 1.0),
        100 * get_task(first.task).metadata.chance,
        tuple(curve.missing for _, curve in group if curve.missing),
    )


def _seeds(shown: list[tuple[Record, Curve]]) -> int:
    return len({record.seed for record, _ in shown})


def _traces(shown: list[tuple[Record, Curve]], quantity: str, scale: float) -> tuple[Trace, ...]:
    """Each attention's seeds, then their mean where there are several."""
    by_attention: dict[str, list[Trace]] = {}
    for record, curve in shown:
        logged = [(point.step, getattr(point, quantity)) for point in curve.points]
        kept = [(step, scale * value) for step, value in logged if value is not None]
        if kept:
            trace = Trace(record.attention, record.seed, *zip(*kept, strict=True))
            by_attention.setdefault(record.attention, []).append(trace)
    return tuple(
        trace
        for traces in by_attention.values()
        for trace in (*traces, *([mean_trace(traces)] if len(traces) > 1 else []))
    )


def mean_trace(traces: list[Trace]) -> Trace:
    """The mean of one attention's seeds."""
    values = [dict(zip(trace.steps, trace.values, strict=True)) for trace in traces]
    steps = tuple(sorted(set.intersection(*map(set, values))))
    means = tuple(statistics.fmean(of[step] for of in values) for step in steps)
    return Trace(traces[0].attention, None, steps, means)
