"""Retrieval as a task: does one paper of the ACL Anthology Network cite the other?"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from attention_zoo import UsageError
from lra.data.archives import LRA_RELEASE
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
from lra.tasks.retrieval.official import find, read
from lra.tasks.retrieval.sample import write


@dataclass(frozen=True)
class RetrievalSettings(TaskSettings):
    """source: the official pairs, or pairs of made-up papers in their format. max_len: bytes that
    are read of a paper. train, val, test: pairs. seed: the made-up papers'.
    """

    DECIDE: ClassVar = {
        "official": ("max_len", *SPLITS),
        "sample": ("max_len", *SPLITS, "seed"),
    }
    VOCABULARY: ClassVar = 257  # a byte + 1, and padding

    source: Literal["auto", "official", "sample"] = "auto"
    max_len: int = 4_000
    train: int = 147_086
    val: int = 18_090
    test: int = 17_437
    seed: int = 0

    def __post_init__(self) -> None:
        require_sizes(self)
        if self.max_len < 1:
            raise UsageError("task.max_len must be 1 or more")


def examples(
    settings: RetrievalSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    def pairs(file: Path) -> list[Example]:
        rows = read(file, settings.max_len)
        return [((writer.add(first), writer.add(second)), label) for first, second, label in rows]

    if settings.source == "sample":
        with tempfile.TemporaryDirectory() as folder:
            sizes = {split: getattr(settings, split) for split in SPLITS}
            write(Path(folder), sizes, settings.seed)
            return {split: pairs(file) for split, file in find(Path(folder)).items()}
    found = {split: pairs(file) for split, file in files.items()}
    for split, rows in found.items():
        require_count(len(rows), settings, split)
    return found


RETRIEVAL = Task(
    metadata=TaskMetadata(
        name="retrieval",
        version=1,
        modality="bytes of two papers",
        length=4_000,
        classes=2,
        chance=0.5,
        vocabulary=RetrievalSettings.VOCABULARY,
        padding=0,
        sequences=2,
        splits={"train": 147_086, "val": 18_090, "test": 17_437},
        source="lra_release",
        layout="lra_release/lra_release/tsv_data/new_aan_pairs.{train,eval,test}.tsv",
        licence="unclear; not redistributed here",
        citation="Radev et al. 2013 (Language Resources and Evaluation 47); "
        "Tay et al. 2021 (arXiv 2011.04006)",
    ),
    settings=RetrievalSettings,
    official=lambda data_dir, settings: find(data_dir),
    archive=LRA_RELEASE,
    root=lambda settings: "lra_release/lra_release/tsv_data",
    examples=examples,
    baselines=majority,
    generates=False,
)
