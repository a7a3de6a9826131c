"""Costs against N, and learning curves."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lra.results.figures.curves import CurveChart, Trace
from lra.results.figures.growth import GrowthChart, Line
from lra.results.figures.palette import Look, Looks
from lra.results.numbers import figure
from lra.results.report.charts.chart import (
    Chart,
    axis,
    counted,
    hover,
    layout,
    level,
    logarithmic,
    marker,
    plain,
    table,
)
from lra.results.report.data import kept
from lra.results.report.embed import rounded

GROWTH, CURVES = "Time and memory against N", "Learning curves"
LEGEND = "Legend: the fitted exponent of N, and its range between neighbouring lengths."
TIMES = "Points: medians. Bars: from the 20th to the 80th percentile."


def growth_figures(chart: GrowthChart, looks: Looks) -> list[Chart]:
    """One of time, one of memory where that was measured, once: it has no bars."""
    found = [_time(chart, looks)] if chart.time else []
    return found + ([_memory(chart, looks)] if chart.memory else [])


def _time(chart: GrowthChart, looks: Looks) -> Chart:
    traces = [
        _line(line, line.values, "ms", looks[line.attention]) | {"error_y": _bars(line)}
        for line in chart.time
    ]
    columns = ("20th percentile", "80th")
    rows = [
        (line.attention, *point, line.growth and line.growth.exponent)
        for line in chart.time
        for point in zip(line.N, line.values, line.low, line.high, strict=True)
    ]
    return _growth(chart, "Time", "ms", TIMES, chart.time, traces, columns, rows)


def _memory(chart: GrowthChart, looks: Looks) -> Chart:
    scaled = [(line, [value / 1e6 for value in line.values]) for line in chart.memory]
    traces = [_line(line, values, "MB", looks[line.attention]) for line, values in scaled]
    rows = [
        (line.attention, *point, line.growth and line.growth.exponent)
        for line, values in scaled
        for point in zip(line.N, values, strict=True)
    ]
    note = f"Points: {chart.method}, measured once."
    return _growth(chart, "Memory", "MB", note, chart.memory, traces, (), rows)


def _growth(
    chart: GrowthChart,
    what: str,
    unit: str,
    note: str,
    lines: Sequence[Line],
    traces: list[dict[str, Any]],
    columns: tuple[str, ...],
    rows: list[tuple],
) -> Chart:
    lengths = sorted({n for line in lines for n in line.N})
    values = [value for trace in traces for value in trace["y"]]
    named = f"{what.lower()}, {unit}"
    return Chart(
        GROWTH,
        f"{what}: {chart.caption.label}",
        " ".join(filter(None, (_steepest(what, lines), *map(_ended, lines)))),
        (f"{note} {LEGEND}", *_without(chart), chart.caption.footer),
        traces,
        layout(logarithmic("N, tokens", lengths, lengths), logarithmic(named, values)),
        table(chart.caption, ("attention", "N", named, *columns, "exponent"), rows),
    )


def _without(chart: GrowthChart) -> list[str]:
    return [f"Without a figure: {', '.join(chart.missing)}."] if chart.missing else []


def _line(line: Line, values: Sequence[float], unit: str, look: Look) -> dict[str, Any]:
    grows = line.growth
    exponent = ""
    if grows:
        exponent = f" N^{grows.exponent:.2f} ({grows.smallest:.2f} to {grows.largest:.2f})"
    return _style(line.attention, look) | {
        "mode": "lines+markers",
        "name": plain(line.attention + exponent),
        "x": line.N,
        "y": rounded(values),
        "hovertext": [
            hover(line.attention, f"N = {n:,}: {figure(value)} {unit}")
            for n, value in zip(line.N, values, strict=True)
        ],
    }


def _bars(line: Line) -> dict[str, Any]:
    y, low, high = map(np.array, (line.values, line.low, line.high))
    return {
        "symmetric": False,
        "array": rounded((high - y).tolist()),
        "arrayminus": rounded((y - low).tolist()),
        "thickness": 1,
        "width": 2,
    }


def _steepest(what: str, lines: Sequence[Line]) -> str:
    grown = sorted((line for line in lines if line.growth), key=lambda line: line.growth.exponent)
    if not grown:
        return f"{what} of {counted(len(lines), 'attention')}, each at one length."
    least, most = grown[0], grown[-1]
    return (
        f"{what} of {counted(len(lines), 'attention')}. It grows least with N for "
        f"{least.attention} (exponent {least.growth.exponent:.2f}), most for {most.attention} "
        f"({most.growth.exponent:.2f})."
    )


def _ended(line: Line) -> str:
    return f"{line.attention}: {line.ended.status} at N = {line.ended.N:,}." if line.ended else ""


def curve_figures(chart: CurveChart, looks: Looks) -> list[Chart]:
    """One of validation accuracy, one of training loss: the means over seeds. The curves of each
    run stand with the run."""
    found = [("accuracy", _means(chart.accuracy)), ("loss", _means(chart.loss))]
    make = {"accuracy": _accuracy, "loss": _loss}
    return [make[what](chart, means, looks) for what, means in found if means]


def _accuracy(chart: CurveChart, means: Sequence[Trace], looks: Looks) -> Chart:
    last = max(means, key=lambda trace: trace.values[-1])
    shapes, notes = level(chart.chance, "chance")
    rows = [
        (t.attention, t.steps[-1], t.values[-1], max(t.values), _step_of_best(t)) for t in means
    ]
    return _curves(
        chart,
        "Validation accuracy, %",
        f" At its last step {last.attention} is highest, at {figure(last.values[-1])} %.",
        [_curve(trace, kept(trace.values), looks[trace.attention]) for trace in means],
        {"shapes": shapes, "annotations": notes},
        ("attention", "last step", "accuracy there, %", "best, %", "at step"),
        rows,
    )


def _loss(chart: CurveChart, means: Sequence[Trace], looks: Looks) -> Chart:
    """Few points already: means over windows. Losses of other attentions are not ranked."""
    return _curves(
        chart,
        "Training loss, nats",
        "",
        [_curve(trace, range(len(trace.steps)), looks[trace.attention]) for trace in means],
        {},
        ("attention", "last step", "loss there, nats"),
        [(t.attention, t.steps[-1], t.values[-1]) for t in means],
    )


def _step_of_best(trace: Trace) -> int:
    return trace.steps[trace.values.index(max(trace.values))]


def _curves(
    chart: CurveChart,
    what: str,
    more: str,
    traces: list[dict[str, Any]],
    marks: dict[str, Any],
    columns: tuple[str, ...],
    rows: list[tuple],
) -> Chart:
    several = any(trace.seed is None for trace in (*chart.accuracy, *chart.loss))
    lines = f"of {counted(len(traces), 'attention')} against steps"
    name = what.partition(",")[0]
    return Chart(
        CURVES,
        f"{name}: {chart.caption.label}",
        f"{name} {lines}{', means over seeds' * several}.{more}",
        (*chart.caption.notes, chart.caption.footer),
        traces,
        layout(axis("step"), axis(what.lower()), **marks),
        table(chart.caption, columns, rows),
    )


def _means(traces: Sequence[Trace]) -> list[Trace]:
    """Of each attention its mean over seeds, or its only seed; none where the seeds of one have no
    step in common."""
    found: dict[str, Trace] = {}
    for trace in traces:
        if trace.seed is None or trace.attention not in found:
            found[trace.attention] = trace
    return [trace for trace in found.values() if trace.steps]


def _curve(trace: Trace, places: Iterable[int], look: Look) -> dict[str, Any]:
    points = [(trace.steps[i], trace.values[i]) for i in places]
    steps, values = zip(*points, strict=True)
    style = _style(trace.attention, look) | {"mode": "lines"}
    style.pop("marker")
    return style | {
        "name": plain(trace.attention),
        "x": steps,
        "y": rounded(values, 4),
        "hovertemplate": "%{fullData.name}<br>step %{x:,}: %{y:.4~g}<extra></extra>",
    }


def _style(attention: str, look: Look) -> dict[str, Any]:
    return {
        "type": "scatter",
        "legendgroup": plain(attention),
        "line": {"color": look.color, "width": 2, "dash": look.dash},
        "marker": marker(look, 8),
        "hoverinfo": "text",
    }
