"""Panels as plotly's JSON: what the report draws."""

import html
import math
from collections.abc import Sequence
from typing import Any

from lra.results.figures.chart import Axis, Panel, Series
from lra.results.figures.palette import Looks
from lra.results.numbers import readable

ROW = 26  # pixels: of a panel's row
LARGEST, MARK = 56, 8  # pixels: the diameter of the largest circle, of a mark
GREY, LINE = "#6E6E6E", "#D5DAE0"
MARKS = 10  # of a line, at most
LAYOUT = {
    "height": 480,
    "hovermode": "closest",
    "margin": {"l": 60, "r": 10, "t": 40, "b": 60},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1B1F24"},
    "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
}


def draw(panels: Sequence[Panel], looks: Looks) -> dict[str, Any]:
    """Traces and layout of plotly. Each panel has its pair of axes; the page arranges them in a
    grid as its width allows."""
    traces: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    layout = LAYOUT | {"shapes": shapes}
    named: set[str] = set()
    for i, panel in enumerate(panels, start=1):
        n = str(i) if i > 1 else ""
        x, y = f"x{n}", f"y{n}"
        layout |= {f"xaxis{n}": _axis(panel.x), f"yaxis{n}": _axis(panel.y)}
        if panel.rows:
            layout |= {"height": 120 + ROW * len(panel.y.ticks), "showlegend": False}
        averaged = {one.attention for one in panel.series if not one.thin}
        for one in panel.series:
            if one.thin and one.attention in averaged:
                continue  # the curves of each run stand with the run
            legend = one.attention is not None and one.name not in named
            traces.append(_trace(one, panel, looks) | {"showlegend": legend})
            named.add(one.name)
        traces += _arrows(panel, looks)
        traces = [{"xaxis": x, "yaxis": y} | trace for trace in traces]
        texts = {rules[-1]: ", ".join(rules) for rules in panel.labels}
        shapes += [
            _level(texts.get(rule, ""), share, panel, x, y) for rule, share in panel.levels.items()
        ]
    return {"traces": traces, "layout": layout}


def plain(text: str) -> str:
    """Text that plotly shows as it is: it reads a few HTML elements, `<br>` for one."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def _axis(axis: Axis) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": {"text": plain(axis.title)},
        "zeroline": False,
        "gridcolor": LINE,
        "linecolor": LINE,
        "automargin": True,
        "type": "log" if axis.log else "linear",
    }
    if axis.range:
        found["range"] = [math.log10(end) if axis.log else end for end in axis.range]
    if axis.ticks:
        found["tickvals"] = [value for value, _ in axis.ticks]
        found["ticktext"] = [plain(text) for _, text in axis.ticks]
    return found


def _trace(one: Series, panel: Panel, looks: Looks) -> dict[str, Any]:
    """Of a circle, the mark in its middle and then itself, from which the text keeps clear."""
    points = list(zip(one.x, one.y, strict=True))
    mode = "lines+markers" if one.joined and one.attention else "lines" if one.joined else "markers"
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": mode + "+text" * any(one.texts),
        "name": plain(one.name),
        "text": [plain(text) for text in one.texts],
        "textposition": "top center",
        "line": {"color": GREY, "width": 1, "dash": "dot"},
        **_hover(one, panel),
    }
    if one.attention is not None:
        look = looks[one.attention]
        trace["legendgroup"] = plain(one.attention)
        trace["line"] = {"color": look.color, "width": 2, "dash": look.dash}
        trace["marker"] = {"color": look.color, "size": MARK, "symbol": look.symbol, "opacity": 1}
        trace["marker"]["maxdisplayed"] = MARKS if one.joined else 0
        if one.area:
            points *= 2
            trace["text"] = ["", *trace["text"]]
            trace["marker"] |= {
                "size": [MARK, panel.diameter(one, LARGEST)],
                "symbol": [look.symbol, "circle" if look.plain else "circle-open"],
                "opacity": [1, 0.4 if look.plain else 1],
            }
        if one.bars:
            below, above = one.bars
            trace["error_x" if panel.rows else "error_y"] = {
                "symmetric": False,
                "array": [*above],
                "arrayminus": [*below],
                "color": look.color,
                "thickness": 1,
                "width": 2,
            }
    return trace | {"x": [x for x, _ in points], "y": [y for _, y in points]}


def _hover(one: Series, panel: Panel) -> dict[str, Any]:
    """What is shown of a point: its numbers, or where it stands."""
    words, where = [one.attention or one.name], ""
    if len(one.numbers) == len(one.x) == 1:
        known = {key: value for key, value in one.numbers[0].items() if value is not None}
        words += [f"{key}: {readable(value)}" for key, value in known.items()]
    else:
        where = f"<br>{plain(panel.x.title)}: %{{x:,}}<br>{plain(panel.y.title)}: %{{y:.4~g}}"
    hover = plain("\n".join(words))
    return {"hovertext": hover, "hovertemplate": f"%{{hovertext}}{where}<extra></extra>"}


def _arrows(panel: Panel, looks: Looks) -> list[dict[str, Any]]:
    """From the middle of the first's circle to the edge of the other's."""
    at = {one.attention: one for one in panel.series}
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "legendgroup": plain(end),
            "showlegend": False,
            "x": [at[start].x[0], at[end].x[0]],
            "y": [at[start].y[0], at[end].y[0]],
            "line": {"color": looks[end].color, "width": 1.5},
            "marker": {
                "symbol": ["circle", "arrow"],
                "size": [0, 11],
                "angleref": "previous",
                "standoff": [0, panel.diameter(at[end], LARGEST) / 2],
                "opacity": 1,
                "color": looks[end].color,
            },
            "hoverinfo": "skip",
        }
        for start, end in panel.arrows
    ]


def _level(text: str, share: float, panel: Panel, x: str, y: str) -> dict[str, Any]:
    """Across the panel, at a value of the axis that the values lie along."""
    (along, axis), (across, other) = (("x", x), ("y", y))[:: 1 if panel.rows else -1]
    return {
        "type": "line",
        "line": {"color": GREY, "width": 1, "dash": "dash"},
        "layer": "below",
        "label": {"text": plain(text), "textposition": "end", "font": {"color": GREY, "size": 11}},
        **{f"{along}ref": axis, f"{along}0": share, f"{along}1": share},
        **{f"{across}ref": f"{other} domain", f"{across}0": 0, f"{across}1": 1},
    }
