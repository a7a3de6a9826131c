"""ListOps as a task."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from attention_zoo import UsageError
from lra.data.archives import LRA_RELEASE
from lra.data.store import Split
from lra.data.writer import Example, Writer
from lra.tasks.base import (
    SPLITS,
    Task,
    TaskMetadata,
    TaskSettings,
    majority,
    require_count,
    require_sizes,
)
from lra.tasks.listops.expressions import CLOSE_ID, VOCABULARY
from lra.tasks.listops.generate import Shape, distinct_expressions
from lra.tasks.listops.official import official_files, read_official


@dataclass(frozen=True)
class ListOpsSettings(TaskSettings):
    """source: the official files, or expressions drawn here. brackets=drop leaves out every `]`, as
    the lineage's tokenisation once did. train, val, test: split sizes, which official files must
    have. The others are the generator's: strict bounds on lengths in tokens (brackets counted), the
    shape of expressions, the seed. Their defaults are the official release's.
    """

    DECIDE: ClassVar = {
        "official": ("brackets", *SPLITS),
        "generated": (
            *("brackets", *SPLITS),
            *("min_length", "max_length", "max_depth", "max_args", "seed"),
        ),
    }
    VOCABULARY: ClassVar = len(VOCABULARY)
    BATCHES: ClassVar = ("max_length",)  # which bounds official files and alters none

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
        require_sizes(self)
        if self.max_depth < 1 or self.max_args < 2 or not 0 <= self.min_length < self.max_length:
            raise UsageError(
                "task needs max_depth ≥ 1, max_args ≥ 2 and 0 ≤ min_length < max_length"
            )

    @property
    def max_len(self) -> int:
        return self.max_length


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
            require_count(len(rows), settings, name)
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


LISTOPS = Task(
    metadata=TaskMetadata(
        name="listops",
        version=1,
        modality="nested list expressions",
        length=2_000,
        classes=10,
        chance=0.1,
        vocabulary=ListOpsSettings.VOCABULARY,
        padding=0,
        sequences=1,
        splits={"train": 96_000, "val": 2_000, "test": 2_000},
        source="lra_release, or drawn here as LRA's generator does",
        layout="lra_release/lra_release/listops-1000/basic_{train,val,test}.tsv",
        licence="Apache-2.0 (LRA's repository, its generator's description)",
        citation="Nangia & Bowman 2018 (arXiv 1804.06028); Tay et al. 2021 (arXiv 2011.04006)",
    ),
    settings=ListOpsSettings,
    official=lambda data_dir, settings: official_files(data_dir),
    archive=LRA_RELEASE,
    root=lambda settings: "lra_release/lra_release/listops-1000",
    examples=examples,
    baselines=baselines,
    generates=True,
)
