"""ListOps as a task."""

from dataclasses import dataclass

import numpy as np

from attention_zoo import UsageError
from lra.data.store import Split
from lra.tasks.base import Example, Task, TaskMetadata
from lra.tasks.listops.expressions import VOCABULARY
from lra.tasks.listops.generate import Shape, distinct_expressions


@dataclass(frozen=True)
class ListOpsSettings:
    """What decides the data: split sizes, the shape of expressions, the seed they are drawn with.

    Lengths are strict bounds in tokens, brackets counted. The defaults are the official release's.
    """

    train: int = 96_000
    val: int = 2_000
    test: int = 2_000
    min_length: int = 500
    max_length: int = 2_000
    max_depth: int = 10
    max_args: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test) < 1:
            raise UsageError("task.train, task.val and task.test must be 1 or more")
        if self.max_depth < 1 or self.max_args < 2 or not 0 <= self.min_length < self.max_length:
            raise UsageError(
                "task needs max_depth ≥ 1, max_args ≥ 2 and 0 ≤ min_length < max_length"
            )

    @property
    def max_len(self) -> int:
        return self.max_length


def examples(settings: ListOpsSettings, workers: int | None) -> dict[str, list[Example]]:
    """Distinct expressions, so that no two splits share one."""
    sizes = {name: getattr(settings, name) for name in ("train", "val", "test")}
    shape = Shape(settings.min_length, settings.max_length, settings.max_depth, settings.max_args)
    rest = iter(distinct_expressions(sum(sizes.values()), settings.seed, shape, workers))
    return {name: [next(rest) for _ in range(size)] for name, size in sizes.items()}


def baselines(splits: dict[str, Split]) -> dict[str, float]:
    """Test accuracy of the most frequent training label, and of the most frequent one given the
    root operator: what a model gets that reads one token."""
    train, test = splits["train"], splits["test"]
    by_root = np.zeros((len(VOCABULARY), 10), dtype=np.int64)
    np.add.at(by_root, (train.tokens[train.offsets[:-1]], train.labels), 1)
    answer = np.where(by_root.any(1), by_root.argmax(1), by_root.sum(0).argmax())
    return {
        "majority class": float((test.labels == by_root.sum(0).argmax()).mean()),
        "root operator": float((test.labels == answer[test.tokens[test.offsets[:-1]]]).mean()),
    }


LISTOPS = Task(
    metadata=TaskMetadata(
        name="listops",
        version=1,
        modality="nested list expressions",
        length=2_000,
        classes=10,
        chance=0.1,
        vocabulary=VOCABULARY,
        splits={"train": 96_000, "val": 2_000, "test": 2_000},
        source="generated here with the distribution of LRA's generator",
        licence="Apache-2.0 (the generator's description; the data are drawn anew)",
        citation="Nangia & Bowman 2018 (arXiv 1804.06028); Tay et al. 2021 (arXiv 2011.04006)",
    ),
    examples=examples,
    baselines=baselines,
)
