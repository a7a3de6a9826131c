"""The learned weights of filters, layer by layer and head by head."""

from collections.abc import Iterable, Sequence

import numpy as np

from lra.results.analysis import Head
from lra.results.details import entries
from lra.results.figures.analyses import Analyses, Analyzed, analyses_of, narrow
from lra.results.figures.chart import Axis, Chart, Panel, Series
from lra.results.numbers import counted

PANELS = 4  # of one chart
STARTS = 2  # values, up to which each has a line across
DASH = 0.2  # half of its length, of the room of a head
Place = tuple[int, int]  # layer, head


def weight_charts(runs: Iterable[Analyzed]) -> list[Chart]:
    """For every task, data and protocol with filters, PANELS weights in a chart."""
    return [chart for found in analyses_of(runs) for chart in _charts(found)]


def _charts(found: Analyses) -> list[Chart]:
    learned = {name: _weights(found, name) for name in found.of}
    names = list(dict.fromkeys(weight for of in learned.values() for weight in of))
    parts = [names[i : i + PANELS] for i in range(0, len(names), PANELS)]
    return [
        _chart(found, learned, part, i if len(parts) > 1 else 0)
        for i, part in enumerate(parts, start=1)
    ]


def _chart(
    found: Analyses,
    learned: dict[str, dict[str, dict[Place, list[tuple[float, float]]]]],
    names: list[str],
    part: int,
) -> Chart:
    filtered = [attention for attention, of in learned.items() if of]
    verdicts = [
        f"{attention}: {_verdicts(found, attention)}"
        for attention in filtered
        if _verdicts(found, attention)
    ]
    return found.chart(
        f"weights{part or ''}",
        "Learned weights of filters",
        [
            _panel(name, len(names), {a: of[name] for a, of in learned.items() if name in of})
            for name in names
        ],
        [
            "Each mark: a head, those of a layer side by side; bars: standard deviation over "
            "seeds. Dotted: where the weights began, mean over seeds: lines across where all began "
            f"at up to {STARTS} values, else a dash at each mark.",
            *([f"Heads that collapsed, to within 1 %: {'; '.join(verdicts)}."] if verdicts else []),
        ],
        f"Weights of {counted(len(filtered), 'filtered attention')} after training.",
    )


def _verdicts(found: Analyses, attention: str) -> str:
    """`2 of 8 to zero`, over layers, heads, filters and seeds."""
    heads = [head for several in _heads(found, attention).values() for head in several]
    states = [state for head in heads for state in head.filters]
    said = [state.verdict for state in states if state.verdict]
    kinds = sorted(set(said) - {"filter"})
    return ", ".join(f"{said.count(kind)} of {len(said)} to {_to(kind)}" for kind in kinds)


def _to(kind: str) -> str:
    return kind if kind == "zero" else f"a {kind}"


def _heads(found: Analyses, attention: str) -> dict[Place, list[Head]]:
    """By place, of every seed."""
    heads: dict[Place, list[Head]] = {}
    for one in found.of[attention]:
        for layer in one.layers:
            for h, head in enumerate(layer.heads, start=1):
                heads.setdefault((layer.layer, h), []).append(head)
    return heads


def _weights(found: Analyses, attention: str) -> dict[str, dict[Place, list[tuple[float, float]]]]:
    """By name, then place: the start and end of every seed. A list of numbers has a name for each;
    of several filters all but the first have their number in front."""
    weights: dict[str, dict[Place, list[tuple[float, float]]]] = {}
    for place, heads in _heads(found, attention).items():
        for head in heads:
            for i, state in enumerate(head.filters, start=1):
                for name, value in state.learned.items():
                    pairs = list(zip(entries(state.initial[name]), entries(value), strict=True))
                    for k, pair in enumerate(pairs):
                        full = f"{i}: {name}" if i > 1 else name
                        full += f"[{k}]" if isinstance(value, list) else ""
                        weights.setdefault(full, {}).setdefault(place, []).append(pair)
    return weights


def _guides(starts: Sequence[tuple[float, float]], places: int) -> list[Series]:
    """At the start of each mark, given with where the mark stands."""
    values = sorted({start for _, start in starts})
    ends = [(-0.5, places - 0.5, value) for value in values]
    if len(values) > STARTS:
        ends = [(x - DASH, x + DASH, start) for x, start in starts]
    return [Series(None, [left, right], [at, at], joined=True) for left, right, at in ends]


def _panel(name: str, panels: int, of: dict[str, dict[Place, list[tuple[float, float]]]]) -> Panel:
    places = sorted({place for weights in of.values() for place in weights})
    at = {place: i for i, place in enumerate(places)}
    series = []
    for n, (attention, weights) in enumerate(of.items()):
        aside = 0.5 * (n + 1) / (len(of) + 1) - 0.25  # marks of several stand side by side
        ends = {place: [end for _, end in pairs] for place, pairs in weights.items()}
        means = [float(np.mean(values)) for values in ends.values()]
        spread = [float(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for v in ends.values()]
        numbers = [
            {"weight": name, "layer": layer, "head": h, "learned": mean, "±": error}
            | {"initial": float(np.mean([start for start, _ in weights[layer, h]]))}
            for (layer, h), mean, error in zip(weights, means, spread, strict=True)
        ]
        x = [at[place] + aside for place in weights]
        bars = (spread, spread) if any(spread) else None
        series.append(Series(attention, x, means, attention, bars, numbers=numbers))
    starts = [
        (x, row["initial"]) for one in series for x, row in zip(one.x, one.numbers, strict=True)
    ]
    guides = _guides(starts, len(places))
    layers = sorted({layer for layer, _ in places})
    middle = [float(np.mean([at[place] for place in places if place[0] == n])) for n in layers]
    ticks = [(x, str(layer)) for x, layer in zip(middle, layers, strict=True)]
    x = Axis("layer", ticks=ticks, range=(-0.5, len(places) - 0.5))
    return Panel(narrow(x, panels), Axis(name), [*series, *guides])
