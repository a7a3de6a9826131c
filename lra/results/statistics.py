"""What a few seeds say, and what they do not."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95  # of every interval
EXACT = 6  # seeds up to which every resample is drawn, n^n of them
DRAWS = 20_000  # resamples of more


def mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def std(values: Sequence[float]) -> float | None:
    """Of a sample: divided by n − 1; None below two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def binomial_error(percent: float, count: int) -> float:
    """√(p(1 − p)/n) in points: the standard error of an accuracy on n examples."""
    return math.sqrt(percent * (100 - percent) / count)


def bootstrap_interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """The percentile interval of the mean over resampled pairs (Efron, Tibshirani 1993, §13.3).

    Exact for up to EXACT pairs, whose resamples are all taken; else of DRAWS resamples of a fixed
    seed. None below two pairs.
    """
    n, values = len(differences), np.asarray(differences, dtype=float)
    if n < 2:
        return None
    low, high = np.quantile(
        np.sort(values)[_resamples(n)].mean(1),
        [(1 - LEVEL) / 2, (1 + LEVEL) / 2],
        method="inverted_cdf",
    )
    return float(low), float(high)


@lru_cache(maxsize=16)
def _resamples(n: int) -> np.ndarray:
    """Which of n values each resample has."""
    if n <= EXACT:
        return np.array(list(itertools.product(range(n), repeat=n)))
    return np.random.default_rng(0).integers(n, size=(DRAWS, n))


def t_interval(differences: Sequence[float], least: float = 0.0) -> tuple[float, float] | None:
    """Student's interval of the mean; None below two pairs. least: no smaller standard deviation
    is believed."""
    n = len(differences)
    if n < 2:
        return None
    center, spread = mean(differences), max(std(differences), least)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * spread / math.sqrt(n)
    return center - half, center + half


@dataclass(frozen=True)
class Paired:
    """Differences over equal seeds. interval: `bootstrap_interval`'s.

    separable: of three pairs or more, where neither that interval nor Student's covers zero.
    Resamples of n pairs never leave their range, so that three seeds of one sign, one chance in
    four, would always be separable by the bootstrap alone.
    """

    n: int
    mean: float | None
    interval: tuple[float, float] | None
    separable: bool


def paired(differences: Sequence[float], resolution: float = 0.0) -> Paired:
    """resolution: the least that two of the values can differ by, one example of a test split;
    equal differences have no smaller standard deviation."""
    n, interval = len(differences), bootstrap_interval(differences)
    separable = n > 2 and not any(
        low <= 0 <= high for low, high in (interval, t_interval(differences, resolution))
    )
    return Paired(n, mean(differences), interval, separable)
