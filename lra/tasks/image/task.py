"""Image as a task: CIFAR-10 in grey, pixel by pixel."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from lra.data.archives import CIFAR_10
from lra.data.writer import Example, Writer
from lra.tasks.base import (
    SPLITS,
    PixelSettings,
    Task,
    TaskMetadata,
    majority,
    require_count,
    require_sizes,
)
from lra.tasks.image.official import find, read
from lra.tasks.image.sample import write
from lra.tasks.splits import held_out


@dataclass(frozen=True)
class ImageSettings(PixelSettings):
    """source: the official images, or made-up ones in their format. val: images held out of the
    training files, stratified, by the seed. black: see PixelSettings.
    """

    DECIDE: ClassVar = dict.fromkeys(("official", "sample"), (*SPLITS, "seed"))

    source: Literal["auto", "official", "sample"] = "auto"
    train: int = 45_000
    val: int = 5_000
    test: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_sizes(self)

    @property
    def max_len(self) -> int:
        return 32 * 32


def examples(
    settings: ImageSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    if settings.source == "sample":
        with tempfile.TemporaryDirectory() as folder:
            sizes = {"train": settings.train + settings.val, "test": settings.test}
            write(Path(folder), sizes, settings.seed)
            images = read(find(Path(folder)))
    else:
        images = read(files)

    def stored(name: str) -> list[Example]:
        pixels, labels = images[name]
        return [
            ((writer.add(image.tobytes()),), int(label))
            for image, label in zip(pixels, labels, strict=True)
        ]

    train, test = stored("train"), stored("test")
    require_count(len(train), settings, "train", "val")
    require_count(len(test), settings, "test")
    stay, held = held_out(train, settings.val, settings.seed, "image")
    return {"train": [train[i] for i in stay], "val": [train[i] for i in held], "test": test}


IMAGE = Task(
    metadata=TaskMetadata(
        name="image",
        version=1,
        modality="grey pixels of 32×32 photographs",
        length=1_024,
        classes=10,
        chance=0.1,
        vocabulary=ImageSettings.VOCABULARY,
        padding=None,
        sequences=1,
        splits={"train": 45_000, "val": 5_000, "test": 10_000},
        source="CIFAR-10, python version",
        layout="cifar-10-batches-py/{data_batch_1,…,data_batch_5,test_batch}",
        licence="none stated; not redistributed here",
        citation="Krizhevsky 2009 (technical report); Tay et al. 2021 (arXiv 2011.04006)",
    ),
    settings=ImageSettings,
    official=lambda data_dir, settings: find(data_dir),
    archive=CIFAR_10,
    root=lambda settings: "cifar-10-batches-py",
    examples=examples,
    baselines=majority,
    generates=False,
)
