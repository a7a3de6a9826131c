"""How smooth the hidden states become through depth: x beside x+gfsa."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from lra.results.analysis import Analysis, Depth
from lra.results.figures.analyses import LEAST, Analyses, Analyzed, analyses_of, line, mean_of
from lra.results.figures.chart import Axis, Chart, Panel, Series, log_axis
from lra.results.numbers import counted, figure

MEASURES = {
    "HFC/LFC": lambda one: one.high_over_low,
    "token cosine": lambda one: one.cosine,
    "effective rank": lambda one: one.effective_rank,
}


def smoothing_charts(runs: Iterable[Analyzed]) -> list[Chart]:
    """Measures by depth and singular values, for each task, data and protocol of which any run was
    analyzed."""
    return [make(found) for found in analyses_of(runs) for make in (_chart, _singular_values)]


def _chart(found: Analyses) -> Chart:
    panels = [_panel(name, found) for name in MEASURES]
    text = (
        f"Smoothness of the hidden states of {counted(len(found.of), 'attention')} through depth."
    )
    ends = {one.attention: one.y[-1] for one in panels[1].series if not one.thin}
    if ends:
        most = figure(max(ends.values()))
        top = [name for name, cosine in ends.items() if figure(cosine) == most]
        which = f"{', '.join(top)} {'has' if len(top) == 1 else 'have'} the most similar tokens"
        if len(top) == len(ends) > 1:
            which = "all have equally similar tokens"
        text += f" After the last block {which}, cosine {most}."
    return found.chart(
        "smoothing",
        "Smoothing through depth",
        panels,
        [
            "After each block, 0 for what goes into the first. HFC/LFC: deviations of the tokens "
            "from their mean over the mean, in Frobenius norm, 0 where all are equal. Token "
            "cosine: mean over pairs. Effective rank: exp of the entropy of the singular values.",
            *["Thin: each seed. Thick: their mean."] * any(one.thin for one in panels[0].series),
        ],
        text,
    )


def _panel(name: str, found: Analyses) -> Panel:
    series = [one for attention in found.of for one in _lines(attention, found, name)]
    blocks = sorted({x for one in series for x in one.x})
    ticks = blocks[:: max(1, len(blocks) // 6)]
    x = Axis("blocks", ticks=[(at, f"{at:g}") for at in ticks])
    values = [value for one in series for value in one.y]
    positive = name == "HFC/LFC" and values and min(values) > 0
    return Panel(x, log_axis(name, values) if positive else Axis(name), series)


def _lines(attention: str, found: Analyses, name: str) -> list[Series]:
    """Each seed's, thin, and their mean; a single one is its own mean."""
    seeds = [_curve(one, name) for one in found.of[attention]]
    common = sorted(set.intersection(*map(set, seeds)))
    thin = [
        replace(line(attention, curve), name=f"{attention}, seed {one.seed}", thin=True)
        for one, curve in zip(found.of[attention], seeds, strict=True)
        if len(seeds) > 1 and curve
    ]
    mean = {at: float(np.mean([one[at] for one in seeds])) for at in common}
    if not common:
        return thin
    numbers = _numbers(found.of[attention], common) if name == "HFC/LFC" else ()
    return [*thin, line(attention, mean, numbers)]


def _curve(one: Analysis, name: str) -> dict[int, float]:
    values = {depth.blocks: MEASURES[name](depth) for depth in one.depth}
    return {blocks: value for blocks, value in values.items() if value is not None}


def _numbers(several: Sequence[Analysis], blocks: Sequence[int]) -> list[dict[str, float | None]]:
    """A row for each depth, with the means over seeds of all measures."""
    return [
        {"blocks": at} | {name: _mean([_at(one, at) for one in several], name) for name in MEASURES}
        for at in blocks
    ]


def _at(one: Analysis, blocks: int) -> Depth:
    return next(depth for depth in one.depth if depth.blocks == blocks)


def _mean(depths: Sequence[Depth], name: str) -> float | None:
    values = [MEASURES[name](one) for one in depths]
    return None if None in values else float(np.mean(values))


def _singular_values(found: Analyses) -> Chart:
    last = max(one.depth[-1].blocks for several in found.of.values() for one in several)
    panels = []
    for blocks in (0, last):
        series = []
        for attention, several in found.of.items():
            curves = [
                dict(zip(depth.ranks, depth.singular_values, strict=True))
                for one in several
                for depth in one.depth
                if depth.blocks == blocks
            ]
            points = {rank: v for rank, v in mean_of(curves).items() if v >= LEAST}
            ends = {rank: points[rank] for rank in (2, 8, 32) if rank in points}
            numbers = [{"blocks": blocks, "rank": rank, "σ/σ₁": v} for rank, v in ends.items()]
            if points:
                series.append(line(attention, points, numbers))
        ranks = [x for one in series for x in one.x] or [1]
        sizes = [y for one in series for y in one.y] or [1]
        where = f"after block {blocks}" if blocks else "before the first block"
        panels.append(Panel(log_axis("rank", ranks), log_axis(f"{where}: σ/σ₁", sizes), series))
    return found.chart(
        "hidden-singular-values",
        "Singular values of the hidden states",
        panels,
        [
            "By rank, over the largest, up to the ranks that the shortest sequence has; what is "
            f"below {LEAST:g} is not drawn."
        ],
        "The faster these fall, the fewer directions the tokens lie in.",
    )
