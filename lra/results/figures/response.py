"""What filters make of each part of the spectrum: |h(λ)|, and the Fourier form apart."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lra.results.analysis import FREQUENCIES, Layer
from lra.results.figures.analyses import (
    LEAST,
    Analyses,
    Analyzed,
    analyses_of,
    line,
    mean_at,
    narrow,
)
from lra.results.figures.chart import Axis, Chart, Panel, Series, log_axis
from lra.results.numbers import counted


def response_charts(runs: Iterable[Analyzed]) -> list[Chart]:
    """|h(λ)| where there are filters, and |diag(F H F⁻¹)|, for every task, data and protocol."""
    charts = []
    for found in analyses_of(runs):
        panels = [_spectral(found, number) for number in found.layers]
        if any(one.attention for panel in panels for one in panel.series):
            charts.append(_chart_of_responses(found, panels))
        charts.append(_chart_of_fourier(found))
    return charts


def _chart_of_responses(found: Analyses, panels: list[Panel]) -> Chart:
    return found.chart(
        "response",
        "Response of the filters on the spectrum",
        panels,
        [
            "Each mark: |h(λ)| of the learned filter at an eigenvalue λ of its Ā, means over heads "
            "at one rank of |λ|. Signs and phases of λ are left out, so that marks of nearly equal "
            f"|λ| may differ. What is below {LEAST:g} is not drawn. Dotted: |λ|, that of Ā itself."
        ],
        "By how much the learned filters scale the eigenvectors of Ā, against the eigenvalue.",
    )


def _spectral(found: Analyses, number: int) -> Panel:
    series = []
    for attention in found.of:
        layers = [one for one in found.layers_of(attention, number) if _responds(one)]
        values = mean_at(layers, lambda layer: layer.ranks, lambda head: head.response)
        at = mean_at(layers, lambda layer: layer.ranks, lambda head: head.eigenvalue_magnitudes)
        pairs = sorted((at[rank], values[rank]) for rank in at if rank in values)
        points = {x: y for x, y in pairs if min(x, y) >= LEAST}
        zeros = [head.at_zero for layer in layers for head in layer.heads]
        if points:
            ends = [{"|λ|": x, "|h(λ)|": points[x]} for x in (min(points), max(points))]
            if None not in zeros:
                ends.insert(0, {"|λ|": 0.0, "|h(λ)|": float(np.mean(zeros))})
            numbers = [{"layer": number, **end} for end in ends]
            # Between two eigenvalues there is no λ at which h was looked at.
            series.append(replace(line(attention, points, numbers), joined=False))
    at = [x for one in series for x in one.x] or [LEAST, 1.0]
    guide = Series(None, [min(at), max(at)], [min(at), max(at)], joined=True, texts=["|λ|", ""])
    values = [y for one in [*series, guide] for y in one.y]
    title = f"layer {number}: |h(λ)|"
    x = narrow(log_axis("|λ|", at), len(found.layers))
    return Panel(x, log_axis(title, values), [*series, guide])


def _responds(layer: Layer) -> bool:
    return all(head.response is not None for head in layer.heads)


def _chart_of_fourier(found: Analyses) -> Chart:
    return found.chart(
        "fourier",
        "Fourier form of what the layers apply",
        [_fourier(found, number) for number in found.layers],
        [
            "|diag(F H F⁻¹)|, F the Fourier transform over the tokens, H the Ā of the layer or its "
            "filter of Ā, means over heads: the picture of the literature. It is |h(λ)| only for a "
            "circulant Ā, and shows nothing of what goes from one frequency to another. Mark at 0: "
            "the mean over tokens. A sequence of N tokens has no frequency between 0 and 1/N, and "
            f"counts from 1/N on. What is below {LEAST:g} is not drawn."
        ],
        f"How much of each frequency the layers of {counted(len(found.of), 'attention')} return at "
        "that frequency.",
    )


def _fourier(found: Analyses, number: int) -> Panel:
    series = []
    for attention in found.of:
        points = mean_at(
            found.layers_of(attention, number),
            lambda layer: list(FREQUENCIES),
            lambda head: head.fourier if head.fourier_filtered is None else head.fourier_filtered,
        )
        numbers = [
            {"layer": number, "cycles a token": at, "|diag(F H F⁻¹)|": points[at]}
            for at in (0, 0.25, 0.5)
            if at in points
        ]
        drawn = {at: value for at, value in points.items() if value >= LEAST}
        constant = {0: drawn.pop(0)} if 0 in drawn else {}
        # Apart, since between the mean over tokens and the first frequency there is nothing.
        parts = [line(attention, drawn), replace(line(attention, constant), joined=False)]
        parts = [one for one in parts if one.x]
        series += [replace(one, numbers=() if i else numbers) for i, one in enumerate(parts)]
    values = [y for one in series for y in one.y] or [1.0]
    y = log_axis(f"layer {number}: |diag(F H F⁻¹)|", values)
    return Panel(Axis("cycles a token"), y, series)
