"""What was measured of many sequences, as an analysis has it: means, at ranks that all have."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attention_zoo import Filter
from gfsa.analysis import Dominance, collapse
from lra.analysis.sequence import Measured, has_taylor_form
from lra.results.analysis import FilterState, Gap, Head, Number, Numbers, Shares
from lra.results.details import entries
from lra.training.weights import Filters, Weights

RANKS = 33  # at most


def number(value: float) -> Number:
    """To six digits; None for one that is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def numbers(values: Iterable[float]) -> Numbers:
    return [number(value) for value in np.asarray(values, dtype=float).tolist()]


def mean(values: Iterable[Tensor | float]) -> Number:
    return number(np.mean([float(value) for value in values]))


def fourier_mean(rows: Sequence[np.ndarray]) -> Numbers:
    """At each of FREQUENCIES over the sequences that have it; None where none has."""
    known = ~np.isnan(rows)
    total, count = np.where(known, rows, 0.0).sum(0), known.sum(0)
    return numbers(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def ranks_up_to(count: int) -> list[int]:
    """1, …, count, or RANKS of them that lie ever wider apart."""
    return np.unique(np.geomspace(1, max(count, 1), RANKS).round().astype(int)).tolist()


def ranks_of(measured: Sequence[Measured]) -> list[int]:
    return ranks_up_to(min(one.eigenvalues.shape[-1] for one in measured))


def head_of(
    h: int, measured: Sequence[Measured], ranks: Sequence[int], filters: list[FilterState]
) -> Head:
    places = torch.tensor(ranks) - 1

    def at_ranks(rows: Iterable[Tensor]) -> Numbers:
        return numbers(np.mean([row[h].abs().cpu()[places].numpy() for row in rows], 0))

    def given(name: str) -> list[Any] | None:
        found = [getattr(one, name) for one in measured]
        return None if found[0] is None else found

    values, at_zero, distances = given("values"), given("at_zero"), given("base_distance")
    filtered, of_filtered = given("fourier_filtered"), given("dominance_filtered")
    second = [one.eigenvalues[h, 1:2].abs().sum() for one in measured]  # 0 where there is but one
    return Head(
        eigenvalue_magnitudes=at_ranks(one.eigenvalues for one in measured),
        singular_values=at_ranks(one.singular_values for one in measured),
        second=mean(second),
        fourier=fourier_mean([one.fourier[h] for one in measured]),
        dominance=shares([one.dominance for one in measured], h),
        response=values and at_ranks(values),
        at_zero=at_zero and mean(one[h] for one in at_zero),
        fourier_filtered=filtered and fourier_mean([one[h] for one in filtered]),
        base_distance=distances and mean(one[h] for one in distances),
        dominance_filtered=of_filtered and shares(of_filtered, h),
        filters=filters,
    )


def shares(found: Sequence[Dominance], h: int) -> Shares:
    pairs = [one.pair[h].item() for one in found]
    return Shares(
        smoothing=float(np.mean([one.smoothing[h].item() for one in found])),
        sharpening=float(np.mean([one.sharpening[h].item() for one in found])),
        smooths=pairs.count(1) / len(pairs),
        sharpens=pairs.count(-1) / len(pairs),
    )


def filter_states(
    filters: Sequence[Filter],
    initial: Filters,
    learned: Filters,
    layer: int,
    heads: int,
    measured: Sequence[Measured],
) -> list[list[FilterState]]:
    """By head, then by filter. initial, learned: as a record has them; layer: from 0."""
    states: list[list[FilterState]] = [[] for _ in range(heads)]
    for i, one in enumerate(filters):
        found = collapse(one, heads)
        for h in range(heads):
            verdict = found and found[h]
            before, after = (of_head(of[layer][i], h, heads) for of in (initial, learned))
            states[h].append(
                FilterState(
                    name=type(one).__name__,
                    initial=before,
                    learned=after,
                    moved=distance_moved(before, after),
                    verdict=verdict and verdict.verdict,
                    scale=verdict and number(verdict.scale),
                    distance=verdict and number(verdict.distance),
                    gap=gap_of(one, measured, h) if i == 0 and has_taylor_form(one) else None,
                )
            )
    return states


def gap_of(graph_filter: Any, measured: Sequence[Measured], h: int) -> Gap:
    distances, powers = zip(*(one.gap for one in measured if one.gap), strict=True)
    distance, power = (mean(one[h] for one in rows) for rows in (distances, powers))
    return Gap(graph_filter.K, graph_filter.mode, distance, power)


def of_head(weights: dict[str, Weights], h: int, heads: int) -> dict[str, Weights]:
    """A head's entry of each parameter that has one a head, or one for all; others whole."""

    def entry(value: Weights) -> Weights:
        if not isinstance(value, list) or len(value) not in (1, heads):
            return value
        return value[h if len(value) == heads else 0]

    return {name: entry(value) for name, value in weights.items()}


def distance_moved(initial: dict[str, Weights], learned: dict[str, Weights]) -> Number:
    """The Euclidean norm of what training changed in all weights of one head."""
    changes = [np.subtract(entries(learned[name]), entries(initial[name])) for name in learned]
    return number(np.linalg.norm(np.concatenate(changes))) if changes else 0.0
