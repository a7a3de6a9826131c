"""A part of the training split: nested, stratified by label, a function of the data alone."""

from dataclasses import replace

import numpy as np

from attention_zoo import UsageError
from lra.data.store import Store
from lra.seeds import derive


def size_of(examples: int, fraction: float) -> int:
    """How many of the training examples a fraction keeps."""
    return round(fraction * examples)


def require_fraction(examples: int, fraction: float, batch: int, bucket: int = 0) -> None:
    """Raises UsageError where what a fraction keeps does not fill what a pass shares out at once,
    though the whole training split would."""
    kept, shared = size_of(examples, fraction), batch * max(1, bucket)
    if kept < shared <= examples:
        together = f" × training.bucket={bucket}" if bucket else ""
        raise UsageError(
            f"--train-fraction {fraction:g} keeps {kept:,} of {examples:,} training examples, "
            f"fewer than training.batch={batch}{together}: use {_at_least(shared, examples)} or "
            "more, or a smaller training.batch"
        )


def with_fraction(store: Store, fraction: float) -> Store:
    """The store with that part of its training split; the other splits stay whole.

    The same examples for every attention and seed of a run, so that seeds differ in training alone,
    as they do on the whole split; another `task.seed` of the data gives others. A smaller fraction
    is a part of a larger one. Raises UsageError where a class would be left without an example.
    """
    if fraction == 1:
        return store
    split = store.splits["train"]
    order = nested_order(split.labels, store.fingerprint)
    kept = size_of(len(split), fraction)
    _, first = np.unique(split.labels[order], return_index=True)
    needed = int(first.max()) + 1
    if kept < needed:
        lost = sorted(int(split.labels[order[at]]) for at in first if at >= kept)
        raise UsageError(
            f"--train-fraction {fraction:g} keeps {kept:,} of {len(split):,} training examples, "
            f"none of label {', '.join(map(str, lost))}: use {_at_least(needed, len(split))} or "
            "more"
        )
    chosen = np.sort(order[:kept])
    part = replace(split, members=split.members[chosen], labels=split.labels[chosen])
    return replace(store, splits=store.splits | {"train": part})


def nested_order(labels: np.ndarray, fingerprint: str) -> np.ndarray:
    """The training examples in the order in which larger fractions take them in.

    Args:
        labels: (n,)
        fingerprint: of the data

    Returns:
        (n,) a permutation. Its first k hold each label's share of k, rounded as Webster's method
        does: the j-th example of a label with n_c examples comes in at (j − ½) / n_c.
    """
    rng = np.random.default_rng(derive(0, "train fraction", fingerprint))
    places = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        places[of_class] = (rng.permutation(len(of_class)) + 0.5) / len(of_class)
    return np.lexsort((rng.permutation(len(labels)), places))


def _at_least(count: int, examples: int) -> str:
    """The fraction of three digits that keeps so many."""
    thousandths = -(-1000 * count // examples)
    return f"{min(thousandths, 1000) / 1000:g}"
