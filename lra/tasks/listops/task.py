"""ListOps as a task."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from attention_zoo import UsageError
from lra.data.store import Split
from lra.tasks.base import Example, Task, TaskMetadata
from lra.tasks.listops.expressions import CLOSE_ID, VOCABULARY
from lra.tasks.listops.generate import Shape, distinct_expressions
from lra.tasks.listops.official import official_files, read_official

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class ListOpsSettings:
    """What decides the data.

    source: the official files, or expressions drawn here; auto takes the files where the data
    folder has them. brackets=drop leaves out every `]`, as the lineage's tokenisation once did.
    The others are the generator's: split sizes, strict bounds on lengths in tokens (brackets
    counted), the shape of expressions, the seed. Their defaults are the official release's.
    """

    source: Literal["auto", "official", "generated"] = "auto"
    brackets: Literal["keep", "drop"] = "keep"
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

    @property
    def deciding(self) -> dict[str, Any]:
        """The settings that the data depend on; max_length bounds official files, alters none."""
        if self.source == "official":
            return {"brackets": self.brackets}
        return {key: value for key, value in asdict(self).items() if key != "source"}


def examples(
    settings: ListOpsSettings, files: dict[str, Path], workers: int | None
) -> dict[str, list[Example]]:
    """The official rows, or distinct expressions of which no two splits share one."""
    if settings.source == "official":
        found = {
            name: read_official(file, settings.max_length, workers) for name, file in files.items()
        }
    else:
        sizes = {name: getattr(settings, name) for name in SPLITS}
        shape = Shape(
            settings.min_length, settings.max_length, settings.max_depth, settings.max_args
        )
        rest = iter(distinct_expressions(sum(sizes.values()), settings.seed, shape, workers))
        found = {name: [next(rest) for _ in range(size)] for name, size in sizes.items()}
    if settings.brackets == "drop":
        close = bytes([CLOSE_ID])
        return {
            name: [(tokens.replace(close, b""), label) for tokens, label in pairs]
            for name, pairs in found.items()
        }
    return found


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
        source="basic_{train,val,test}.tsv of lra_release, or drawn here as LRA's generator does",
        licence="Apache-2.0 (LRA's repository, its generator's description)",
        citation="Nangia & Bowman 2018 (arXiv 1804.06028); Tay et al. 2021 (arXiv 2011.04006)",
    ),
    official=official_files,
    examples=examples,
    baselines=baselines,
)
