"""Text as a task: is a film review, read as bytes, for or against?"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from attention_zoo import UsageError
from lra.data.archives import ACL_IMDB
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
from lra.tasks.splits import held_out
from lra.tasks.text.official import encode, find, read
from lra.tasks.text.sample import write


@dataclass(frozen=True)
class TextSettings(TaskSettings):
    """source: the official reviews, or made-up ones in their format. max_len: bytes that are read
    of a review. val: reviews held out of the training files, stratified, by the seed.
    select_on=test: none are, train and val train together, and the test split selects the weights,
    as in LRA's lineage.
    """

    DECIDE: ClassVar = dict.fromkeys(
        ("official", "sample"), ("max_len", "select_on", *SPLITS, "seed")
    )
    VOCABULARY: ClassVar = 257  # a byte + 1, and padding

    source: Literal["auto", "official", "sample"] = "auto"
    max_len: int = 4_000
    select_on: Literal["val", "test"] = "val"
    train: int = 22_500
    val: int = 2_500
    test: int = 25_000
    seed: int = 0

    @property
    def deciding(self) -> dict[str, Any]:
        if (self.source, self.select_on) != ("official", "test"):
            return super().deciding
        return {
            "max_len": self.max_len,
            "select_on": "test",
            "train": self.train + self.val,
            "test": self.test,
        }

    def __post_init__(self) -> None:
        require_sizes(self)
        if self.max_len < 1:
            raise UsageError("task.max_len must be 1 or more")


def examples(
    settings: TextSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    if settings.source == "sample":
        with tempfile.TemporaryDirectory() as folder:
            sizes = {"train": settings.train + settings.val, "test": settings.test}
            write(Path(folder), sizes, settings.seed)
            reviews = read(find(Path(folder)))
    else:
        reviews = read(files)
    train, test = (
        [((writer.add(encode(text, settings.max_len)),), label) for text, label in reviews[name]]
        for name in ("train", "test")
    )
    require_count(len(train), settings, "train", "val")
    require_count(len(test), settings, "test")
    if settings.select_on == "test":
        return {"train": train, "val": test, "test": test}
    stay, held = held_out(train, settings.val, settings.seed, "text")
    return {"train": [train[i] for i in stay], "val": [train[i] for i in held], "test": test}


TEXT = Task(
    metadata=TaskMetadata(
        name="text",
        version=1,
        modality="bytes of film reviews",
        length=4_000,
        classes=2,
        chance=0.5,
        vocabulary=TextSettings.VOCABULARY,
        padding=0,
        sequences=1,
        splits={"train": 22_500, "val": 2_500, "test": 25_000},
        source="aclImdb",
        layout="aclImdb/{train,test}/{pos,neg}/<number>_<rating>.txt",
        licence="none stated; not redistributed here",
        citation="Maas et al. 2011 (ACL P11-1015); Tay et al. 2021 (arXiv 2011.04006)",
    ),
    settings=TextSettings,
    official=lambda data_dir, settings: find(data_dir),
    archive=ACL_IMDB,
    root=lambda settings: "aclImdb",
    examples=examples,
    baselines=majority,
    generates=False,
)
