"""Splits that official files do not give: drawn from a seed, whatever order the files came in."""

from collections import Counter

import numpy as np

from lra.data.writer import Example
from lra.seeds import derive


def held_out(
    examples: list[Example], size: int, seed: int, task: str
) -> tuple[np.ndarray, np.ndarray]:
    """Indices that stay and the `size` that are held out, in which each class has its share.

    Sequences that the files hold several times stay, so none is on both sides.
    """
    rng = np.random.default_rng(derive(seed, task, "held out"))
    labels = np.array([label for _, label in examples])
    times = Counter(members for members, _ in examples)
    ranks = np.full(len(labels), 2.0)
    alone = np.array([times[members] == 1 for members, _ in examples])
    for label in np.unique(labels):
        of_class = np.flatnonzero((labels == label) & alone)
        ranks[of_class] = (rng.permutation(len(of_class)) + rng.random()) / max(1, len(of_class))
    order = np.argsort(ranks, kind="stable")
    return np.sort(order[size:]), np.sort(order[:size])


def shuffled(n: int, sizes: dict[str, int], seed: int, task: str) -> dict[str, np.ndarray]:
    """Indices 0 … n − 1 in random order, cut into splits of these sizes."""
    order = np.random.default_rng(derive(seed, task, "split")).permutation(n)
    cuts = np.cumsum(list(sizes.values()))[:-1]
    return dict(zip(sizes, np.split(order, cuts), strict=True))
