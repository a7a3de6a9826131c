"""How a cost grows with N: the exponent of N that fits it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Growth:
    """A cost proportional to N^exponent between the lengths first and last. low, high: the least
    and the greatest exponent between two neighbouring lengths."""

    exponent: float
    low: float
    high: float
    first: int
    last: int


def fit(N: Sequence[int], y: Sequence[float]) -> Growth | None:
    """Least squares of log y on log N; None below two lengths."""
    points = sorted(zip(N, y, strict=True))
    if len({n for n, _ in points}) < 2:
        return None
    x, values = np.log(np.array(points, dtype=float).T)
    slopes = [
        float((v2 - v1) / (x2 - x1))
        for (x1, v1), (x2, v2) in itertools.pairwise(zip(x, values, strict=True))
    ]
    exponent = float(np.polyfit(x, values, 1)[0])
    return Growth(exponent, min(slopes), max(slopes), points[0][0], points[-1][0])
