"""Splits that official files do not give: drawn from a seed, whatever order the files came in."""

import numpy as np

from lra.seeds import derive


def held_out(
    labels: np.ndarray,  # (n,)
    size: int,
    seed: int,
    task: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Indices that stay and the `size` that are held out, in which each class has its share."""
    rng = np.random.default_rng(derive(seed, task, "held out"))
    ranks = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        ranks[of_class] = (rng.permutation(len(of_class)) + rng.random()) / len(of_class)
    order = np.argsort(ranks, kind="stable")
    return np.sort(order[size:]), np.sort(order[:size])


def shuffled(n: int, sizes: dict[str, int], seed: int, task: str) -> dict[str, np.ndarray]:
    """Indices 0 … n − 1 in random order, cut into splits of these sizes."""
    order = np.random.default_rng(derive(seed, task, "split")).permutation(n)
    cuts = np.cumsum(list(sizes.values()))[:-1]
    return dict(zip(sizes, np.split(order, cuts), strict=True))
