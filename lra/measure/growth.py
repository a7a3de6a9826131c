"""How fast a cost grows with N, from what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Growth:
    """cost ≈ constant · N^exponent over first ≤ N ≤ last. smallest, largest: of the exponents
    between neighbouring lengths."""

    exponent: float
    smallest: float
    largest: float
    first: int
    last: int


def growth(costs: Mapping[int, float]) -> Growth | None:
    """Of {N: cost}, by least squares of log cost over log N; None for fewer than two lengths, or a
    cost that is not above 0."""
    if len(costs) < 2 or min(costs.values()) <= 0:
        return None
    lengths = sorted(costs)
    x = np.log2(lengths)
    y = np.log2([costs[N] for N in lengths])
    slopes = np.diff(y) / np.diff(x)
    centred = x - x.mean()
    exponent = float(centred @ y / (centred @ centred))
    return Growth(exponent, float(slopes.min()), float(slopes.max()), lengths[0], lengths[-1])
