"""The spectra of Ā, layer by layer."""

from collections.abc import Callable, Iterable

from lra.results.analysis import Head, Numbers
from lra.results.figures.analyses import (
    LEAST,
    Analyses,
    Analyzed,
    analyses_of,
    line,
    mean_at,
    narrow,
)
from lra.results.figures.chart import Chart, Panel, log_axis
from lra.results.numbers import counted, figure

NAMED = (1, 2, 4, 8, 16, 32)  # ranks in the table of the figure's numbers
KINDS: dict[str, tuple[str, Callable[[Head], Numbers]]] = {
    "eigenvalues": ("|λ|", lambda head: head.eigenvalue_magnitudes),
    "singular-values": ("σ", lambda head: head.singular_values),
}


def spectrum_charts(runs: Iterable[Analyzed]) -> list[Chart]:
    """Eigenvalues and singular values, each for every task, data and protocol."""
    return [_chart(found, kind) for found in analyses_of(runs) for kind in KINDS]


def _chart(found: Analyses, kind: str) -> Chart:
    symbol, values = KINDS[kind]
    panels = [_panel(found, number, symbol, values) for number in found.layers]
    first = {
        name: [head.second for layer in found.layers_of(name, 1) for head in layer.heads]
        for name in found.of
    }
    seconds = {
        name: sum(column) / len(column) for name, column in first.items() if None not in column
    }
    text = f"{kind.replace('-', ' ').capitalize()} of Ā of {counted(len(found.of), 'attention')}."
    if seconds:
        slow, fast = (pick(seconds, key=lambda name: seconds[name]) for pick in (max, min))
        text += f" In layer 1 |λ₂| is largest for {slow} ({figure(seconds[slow])}), smallest for "
        text += f"{fast} ({figure(seconds[fast])})."
    return found.chart(
        f"spectra-{kind}",
        f"{kind.replace('-', ' ').capitalize()} of Ā",
        panels,
        [
            f"{symbol} of Ā without filters by its rank, means over heads, up to the ranks that "
            f"the shortest sequence has; values below {LEAST:g} are not drawn."
        ],
        text,
    )


def _panel(found: Analyses, number: int, symbol: str, values: Callable[[Head], Numbers]) -> Panel:
    series = []
    for attention in found.of:
        layers = found.layers_of(attention, number)
        points = mean_at(layers, lambda layer: layer.ranks, values)
        points = {rank: size for rank, size in points.items() if size >= LEAST}
        numbers = [
            {"layer": number, "rank": rank, symbol: points[rank]}
            for rank in NAMED
            if rank in points
        ]
        if points:
            series.append(line(attention, points, numbers))
    ranks = [rank for one in series for rank in one.x] or [1]
    sizes = [size for one in series for size in one.y] or [1]
    title = f"layer {number}: {symbol}"
    x = narrow(log_axis("rank", ranks), len(found.layers))
    return Panel(x, log_axis(title, sizes), series)
