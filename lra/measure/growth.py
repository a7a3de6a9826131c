"""How fast a cost grows with N, from what was measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lra.measure.memory import headline
from lra.measure.sheet import Row


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
    exponent, _ = np.polyfit(x, y, 1)
    return Growth(
        float(exponent), float(slopes.min()), float(slopes.max()), lengths[0], lengths[-1]
    )


def growths(rows: Iterable[Row]) -> tuple[Growth | None, Growth | None]:
    """Of the time and of the memory of an attention's rows that have figures."""
    done = list(rows)
    time = growth({row.N: row.training.time.median_ms for row in done})
    return time, growth({row.N: headline(row.memory) for row in done})
