"""Learning curves in matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lra.results.figures.curves import CurveChart, Trace
from lra.results.figures.legend import draw_legend, legend_height, line_style
from lra.results.figures.palette import Looks
from lra.results.figures.style import GREY, MARGIN, TEXT, page, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT, BELOW, LEFT, RIGHT = 2.6, 0.38, 0.5, 0.2  # inches: of the axes, and round them


def draw_curves(chart: CurveChart, looks: Looks) -> Figure:
    with styled():
        names = list(dict.fromkeys(t.attention for t in (*chart.accuracy, *chart.loss)))
        legend = legend_height(names, TEXT - 2 * MARGIN)
        averaged = any(trace.seed is None for trace in (*chart.accuracy, *chart.loss))
        more = ["Thin: each seed. Thick: their mean."] if averaged else []
        sheet = page(chart.caption, TEXT, HEIGHT + BELOW + legend, more)
        width = TEXT / 2 - LEFT - RIGHT
        left = sheet.axes(LEFT, legend + BELOW, width, HEIGHT)
        _panel(left, chart.accuracy, looks, "validation accuracy (%)")
        left.axhline(chart.chance, color=GREY, linewidth=0.6, dashes=(3, 2), label="chance")
        left.annotate(
            f"chance {chart.chance:.1f}",
            (1, chart.chance),
            xycoords=("axes fraction", "data"),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="right",
            color=GREY,
        )
        right = sheet.axes(TEXT / 2 + LEFT, legend + BELOW, width, HEIGHT)
        _panel(right, chart.loss, looks, "training loss (nats)")
        draw_legend(sheet, 0, [(name, looks[name]) for name in names])
        return sheet.figure


def _panel(axes: Axes, traces: Sequence[Trace], looks: Looks, label: str) -> None:
    averaged = {trace.attention for trace in traces if trace.seed is None}
    places = {name: i for i, name in enumerate(dict.fromkeys(t.attention for t in traces))}
    for trace in traces:
        style = line_style(looks[trace.attention])
        if trace.seed is not None and trace.attention in averaged:
            style |= {"marker": "", "linewidth": 0.4, "alpha": 0.45}
        else:  # markers a quarter of the axis apart, each line's beside the others'
            start = 0.25 * (places[trace.attention] + 0.5) / len(places)
            style |= {"linewidth": 1.3, "markevery": (start, 0.25)}
        name = trace.attention if trace.seed is None else f"{trace.attention}, seed {trace.seed}"
        axes.plot(trace.steps, trace.values, label=name, **style)
    axes.set(xlabel="training steps", ylabel=label)
    axes.xaxis.set_major_locator(_locator())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.margins(0.03)
    axes.set_xlim(0, 1.02 * max((trace.steps[-1] for trace in traces), default=1))


def _locator() -> object:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10])
