"""The examples of ListOps, and rules that read next to nothing of them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lra.data.dataset import majority
from lra.data.store import Split
from lra.data.writer import Example, Writer
from lra.tasks.base import SPLITS, require_count
from lra.tasks.listops.expressions import CLOSE_ID, VOCABULARY
from lra.tasks.listops.generate import Shape, distinct_expressions
from lra.tasks.listops.official import read_official
from lra.tasks.listops.settings import ListOpsSettings


def examples(
    settings: ListOpsSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    """The official rows, or distinct expressions of which no two splits share one."""
    if settings.source == "official":
        found = {
            name: read_official(file, settings.max_length, writer.workers)
            for name, file in files.items()
        }
        for name, rows in found.items():
            require_count(len(rows), settings, [files[name]], name)
    else:
        sizes = {name: getattr(settings, name) for name in SPLITS}
        shape = Shape(
            settings.min_length, settings.max_length, settings.max_depth, settings.max_args
        )
        total = sum(sizes.values())
        rest = iter(distinct_expressions(total, settings.seed, shape, writer.workers))
        found = {name: [next(rest) for _ in range(size)] for name, size in sizes.items()}
    dropped = bytes([CLOSE_ID]) if settings.brackets == "drop" else b""

    def stored(pairs: Iterable[tuple[bytes, int]]) -> list[Example]:
        return [((writer.add(tokens.translate(None, dropped)),), label) for tokens, label in pairs]

    return {name: stored(pairs) for name, pairs in found.items()}


def baselines(splits: dict[str, Split]) -> dict[str, float]:
    """Test accuracy of the most frequent training label, and of the most frequent one given the
    root operator: what a model gets that reads one token."""

    def roots(split: Split) -> np.ndarray:
        return split.tokens[split.offsets[split.members[:, 0]]]

    train, test = splits["train"], splits["test"]
    by_root = np.zeros((len(VOCABULARY), 10), dtype=np.int64)
    np.add.at(by_root, (roots(train), train.labels), 1)
    answer = np.where(by_root.any(1), by_root.argmax(1), by_root.sum(0).argmax())
    right = test.labels == answer[roots(test)]
    return majority(splits) | {"root operator": float(right.mean())}
