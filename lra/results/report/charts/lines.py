"""Costs against N, and learning curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lra.results.figures.curves import CurveChart, Trace
from lra.results.figures.growth import GrowthChart, Line
from lra.results.figures.palette import Look, Looks
from lra.results.report.charts.chart import (
    Chart,
    axis,
    hover,
    layout,
    level,
    logarithmic,
    number,
    plain,
    symbol,
    table,
)
from lra.results.report.embed import rounded

GROWTH, CURVES = "Time and memory against N", "Learning curves"
POINTS = 50  # of a learning curve
NOTES = (
    "Bars: from the 20th to the 80th percentile. Legend: the fitted exponent of N, and its range "
    "between neighbouring lengths.",
)


def growth_figures(chart: GrowthChart) -> list[Chart]:
    """One of time, one of memory where that was measured."""
    looks = Looks(line.attention for line in (*chart.time, *chart.memory))
    parts = (
        ("Time", "ms", 1.0, chart.time),
        ("Memory", "MB", 1e6, chart.memory),
    )
    return [_growth(chart, *part, looks) for part in parts if part[-1]]


def _growth(
    chart: GrowthChart, what: str, unit: str, scale: float, lines: Sequence[Line], looks: Looks
) -> Chart:
    lengths = sorted({n for line in lines for n in line.N})
    values = [value / scale for line in lines for value in line.values]
    return Chart(
        GROWTH,
        f"{what}: {chart.caption.title}",
        " ".join(filter(None, (_steepest(what, lines), *map(_ended, lines)))),
        (*NOTES, *_without(chart), chart.caption.footer),
        [_line(line, unit, scale, looks[line.attention]) for line in lines],
        layout(
            logarithmic("N, tokens", lengths, lengths),
            logarithmic(f"{what.lower()}, {unit}", values),
        ),
        table(
            chart.caption,
            ("attention", "N", f"{what.lower()} {unit}", "20th percentile", "80th", "exponent"),
            (
                (
                    line.attention,
                    *(n, value / scale, low / scale, high / scale),
                    line.growth and line.growth.exponent,
                )
                for line in lines
                for n, value, low, high in zip(
                    line.N, line.values, line.low, line.high, strict=True
                )
            ),
        ),
    )


def _without(chart: GrowthChart) -> list[str]:
    return [f"Without a figure: {', '.join(chart.missing)}."] if chart.missing else []


def _line(line: Line, unit: str, scale: float, look: Look) -> dict[str, Any]:
    y, low, high = (np.array(part) / scale for part in (line.values, line.low, line.high))
    grows = line.growth
    exponent = ""
    if grows:
        exponent = f" N^{grows.exponent:.2f} ({grows.smallest:.2f} to {grows.largest:.2f})"
    return _style(line.attention, look) | {
        "mode": "lines+markers",
        "name": plain(line.attention + exponent),
        "x": line.N,
        "y": rounded(y.tolist()),
        "error_y": {
            "symmetric": False,
            "array": rounded((high - y).tolist()),
            "arrayminus": rounded((y - low).tolist()),
            "thickness": 1,
            "width": 2,
        },
        "hovertext": [
            hover(line.attention, f"N = {n:,}: {number(value)} {unit}")
            for n, value in zip(line.N, y, strict=True)
        ],
    }


def _steepest(what: str, lines: Sequence[Line]) -> str:
    grown = sorted((line for line in lines if line.growth), key=lambda line: line.growth.exponent)
    if not grown:
        return f"{what} of {len(lines)} attentions, each at one length."
    least, most = grown[0], grown[-1]
    return (
        f"{what} of {len(lines)} attentions. It grows least with N for {least.attention} (exponent "
        f"{least.growth.exponent:.2f}), most for {most.attention} ({most.growth.exponent:.2f})."
    )


def _ended(line: Line) -> str:
    return f"{line.attention}: {line.ended.status} at N = {line.ended.N:,}." if line.ended else ""


def curve_figures(chart: CurveChart) -> list[Chart]:
    """One of validation accuracy, one of training loss: the means over seeds. The curves of each
    run stand with the run."""
    looks = Looks(trace.attention for trace in (*chart.accuracy, *chart.loss))
    parts = (
        ("Validation accuracy", "%", chart.accuracy, level(chart.chance, "chance")),
        ("Training loss", "nats", chart.loss, ([], [])),
    )
    return [
        _curves(chart, what, unit, means, lines, looks)
        for what, unit, traces, lines in parts
        if (means := _means(traces))
    ]


def _curves(
    chart: CurveChart, what: str, unit: str, means: Sequence[Trace], lines: tuple, looks: Looks
) -> Chart:
    ends = [(trace.attention, trace.values[-1]) for trace in means]
    pick = max if unit == "%" else min
    name, value = pick(ends, key=lambda end: end[1])
    shapes, notes = lines
    return Chart(
        CURVES,
        f"{what}: {chart.caption.title}",
        f"{what} of {len(means)} attentions against steps, means over seeds. At its last step "
        f"{name} is best, at {number(value)} {unit}.",
        (*_missing(chart), chart.caption.footer),
        [_curve(trace, unit, looks[trace.attention]) for trace in means],
        layout(axis("step"), axis(f"{what.lower()}, {unit}"), shapes=shapes, annotations=notes),
        table(
            chart.caption,
            ("attention", "last step", f"{what.lower()} {unit} there", "best", "at step"),
            (
                (t.attention, t.steps[-1], t.values[-1], best, t.steps[t.values.index(best)])
                for t in means
                for best in [pick(t.values)]
            ),
        ),
    )


def _missing(chart: CurveChart) -> list[str]:
    n = len(chart.missing)
    return [f"{n:,} run{'s' * (n > 1)} without a curve; the run's page says why."] if n else []


def _means(traces: Sequence[Trace]) -> list[Trace]:
    """Of each attention its mean over seeds, or its only seed; none where the seeds of one have no
    step in common."""
    found: dict[str, Trace] = {}
    for trace in traces:
        if trace.seed is None or trace.attention not in found:
            found[trace.attention] = trace
    return [trace for trace in found.values() if trace.steps]


def _curve(trace: Trace, unit: str, look: Look) -> dict[str, Any]:
    n = len(trace.steps)
    kept = sorted(set(np.linspace(0, n - 1, min(n, POINTS)).round().astype(int).tolist()))
    steps, values = ([part[i] for i in kept] for part in (trace.steps, trace.values))
    style = _style(trace.attention, look) | {"mode": "lines"}
    style.pop("marker")
    return style | {
        "name": plain(trace.attention),
        "x": steps,
        "y": rounded(values, 4),
        "hovertemplate": f"%{{fullData.name}}<br>step %{{x:,}}: %{{y:.4~g}} {unit}<extra></extra>",
    }


def _style(attention: str, look: Look) -> dict[str, Any]:
    return {
        "type": "scatter",
        "legendgroup": plain(attention),
        "line": {"color": look.color, "width": 2, "dash": look.dash},
        "marker": {"color": look.color, "size": 8, "symbol": symbol(look)},
        "hoverinfo": "text",
    }
