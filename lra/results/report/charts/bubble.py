"""Accuracy against training time."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from lra.results.figures.bubble import Bubble, BubbleChart
from lra.results.figures.palette import Looks, split
from lra.results.report.charts.chart import (
    FAINT,
    Chart,
    axis,
    hover,
    layout,
    level,
    logarithmic,
    number,
    plain,
    table,
)

WIDEST = 56  # pixels, the diameter of the most memory
KIND = "Accuracy against training time"
COLUMNS = (
    *("attention", "test accuracy %", "±", "seeds", "training step ms", "memory MB", "arrow from"),
)


def bubble_figure(chart: BubbleChart) -> Chart:
    looks = Looks(bubble.attention for bubble in chart.bubbles)
    most = max(bubble.memory for bubble in chart.bubbles)
    widths = {b.attention: WIDEST * math.sqrt(b.memory / most) for b in chart.bubbles}
    traces = [_arrow(*arrow, looks, widths) for arrow in chart.arrows]
    traces += [_circle(bubble, looks, widths) for bubble in chart.bubbles]
    shapes, notes = _sizes(most)
    low, high = _view(chart.bubbles)
    hidden = []
    for rule in chart.levels:
        if not low < rule.accuracy < high:
            hidden.append(f"{rule.rule} {rule.accuracy:.1f} %")
            continue
        line, name = level(rule.accuracy, rule.rule)
        shapes, notes = shapes + line, notes + name
    steps = [bubble.step_ms for bubble in chart.bubbles]
    outside = [f"Outside of the view: {', '.join(hidden)}."] if hidden else []
    return Chart(
        KIND,
        chart.caption.title,
        _summary(chart),
        (*chart.caption.notes, *outside, chart.caption.footer),
        traces,
        layout(
            logarithmic("training step, ms", steps, range=_range(steps)),
            axis("test accuracy, %", range=[low, high]),
            shapes=shapes,
            annotations=notes,
            legend={"itemsizing": "constant"},
            margin={"l": 10, "r": 10, "t": WIDEST + 24, "b": 10},
            height=600,
        ),
        table(
            chart.caption,
            COLUMNS,
            (
                (b.attention, b.accuracy, b.error, b.n, b.step_ms, b.memory / 1e6, b.base)
                for b in chart.bubbles
            ),
        ),
    )


def _circle(bubble: Bubble, looks: Looks, widths: dict[str, float]) -> dict[str, Any]:
    """Without a filter: full, with its name. With one: a ring, that the arrow leads to."""
    look = looks[bubble.attention]
    alone = bubble.base is None
    error = f" ± {bubble.error:.1f}"
    return {
        "type": "scatter",
        "mode": "markers+text" if alone else "markers",
        "name": plain(bubble.attention),
        "legendgroup": plain(split(bubble.attention)[0]),
        "showlegend": alone,
        "x": [bubble.step_ms],
        "y": [bubble.accuracy],
        "text": [plain(bubble.attention)],
        "textposition": "top center",
        "error_y": {"array": [bubble.error], "color": look.color, "thickness": 1, "width": 3},
        "marker": {
            "size": widths[bubble.attention],
            "color": _faded(look.color, 0.4 if look.filled else 0.0),
            "opacity": 1,
            "line": {"color": look.color, "width": 2},
        },
        "hoverinfo": "text",
        "hovertext": hover(
            bubble.attention,
            f"accuracy {bubble.accuracy:.2f}{error} %, {_seeds(bubble.n)}",
            f"training step {bubble.step_ms:,.3g} ms",
            f"memory {bubble.memory / 1e6:,.0f} MB",
        ),
    }


def _faded(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _seeds(n: int) -> str:
    return f"{n} seed{'s' * (n > 1)}"


def _arrow(base: Bubble, end: Bubble, looks: Looks, widths: dict[str, float]) -> dict[str, Any]:
    """From the middle of the base's circle to the edge of the other's."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "legendgroup": plain(split(end.attention)[0]),
        "showlegend": False,
        "x": [base.step_ms, end.step_ms],
        "y": [base.accuracy, end.accuracy],
        "line": {"color": looks[end.attention].color, "width": 1.5},
        "marker": {
            "symbol": ["circle", "arrow"],
            "size": [0, 11],
            "angleref": "previous",
            "standoff": [0, widths[end.attention] / 2],
            "opacity": 1,
        },
        "hoverinfo": "skip",
    }


def _view(bubbles: Sequence[Bubble]) -> tuple[float, float]:
    """Accuracies that are shown at first: of the bubbles with their bars, and some room."""
    low = min(bubble.accuracy - bubble.error for bubble in bubbles)
    high = max(bubble.accuracy + bubble.error for bubble in bubbles)
    room = max(0.2 * (high - low), 1.0)
    return low - room, high + room


def _range(steps: list[float]) -> list[float]:
    """Of a logarithmic axis, with room for half a circle and for names."""
    low, high = math.log10(min(steps)), math.log10(max(steps))
    room = max(0.12 * (high - low), 0.12)
    return [low - room, high + room]


def _sizes(most: float) -> tuple[list[dict], list[dict]]:
    """Over the plot: circles of round sizes, in pixels, with the memory that they stand for."""
    shapes, notes, x = [], [], 2.0
    for size in (_round(most * share) for share in (0.05, 0.3, 1)):
        width = WIDEST * math.sqrt(size / most)
        place = {"xref": "paper", "yref": "paper", "xsizemode": "pixel", "ysizemode": "pixel"}
        box = {"x0": x, "x1": x + width, "y0": 12, "y1": 12 + width}
        shapes.append(
            {"type": "circle", "xanchor": 0, "yanchor": 1, "line": {"color": FAINT, "width": 1}}
            | place
            | box
        )
        text = {"text": f"{number(size / 1e6)} MB", "showarrow": False, "font": {"size": 11}}
        shift = {"xshift": x + width + 2, "yshift": 12 + width / 2}
        anchor = {"xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left"}
        notes.append(text | shift | anchor | {"yanchor": "middle"})
        x += width + 68
    return shapes, notes


def _round(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten, downwards."""
    power = 10 ** math.floor(math.log10(value))
    return max(digit * power for digit in (1, 2, 5) if digit * power <= value)


def _summary(chart: BubbleChart) -> str:
    best = max(chart.bubbles, key=lambda b: b.accuracy)
    fast = min(chart.bubbles, key=lambda b: b.step_ms)
    text = (
        f"{len(chart.bubbles)} attentions. Most accurate: {best.attention}, {best.accuracy:.1f} % "
        f"at {best.step_ms:,.3g} ms a step; fastest: {fast.attention}, {fast.accuracy:.1f} % at "
        f"{fast.step_ms:,.3g} ms."
    )
    if not (pairs := chart.arrows):
        return text
    better = sum(end.accuracy > base.accuracy for base, end in pairs)
    times = statistics.median(end.step_ms / base.step_ms for base, end in pairs)
    memory = statistics.median(end.memory / base.memory for base, end in pairs)
    lead = "1 arrow leads" if len(pairs) == 1 else f"{len(pairs)} arrows lead"
    return (
        f"{text} {lead} from an attention to itself with a filter: {better} of {len(pairs)} up, at "
        f"× {times:.2f} the time and × {memory:.2f} the memory (medians)."
    )
