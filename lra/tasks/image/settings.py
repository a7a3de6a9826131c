"""What decides the data of Image, and its setup under each protocol."""

from dataclasses import replace
from typing import ClassVar, Literal

from lra.settings import Count, Deviation, ModelSettings, TrainingSettings
from lra.tasks.base import SPLITS, PixelSettings, Setup
from lra.tasks.shared import (
    BLACK,
    BLOCKS_OF_IMAGES,
    FEW,
    GOOGLE_BLACK,
    PIXELS,
    QUICK,
    SKYFORMER,
    WHOLE_BATCHES,
    epochs,
    validated,
)
from lra.typed import frozen


@frozen
class ImageSettings(PixelSettings):
    """source: the official images, or made-up ones in their format. val: images held out of the
    training files, stratified, by the seed. black: see PixelSettings.
    """

    DECIDE: ClassVar = dict.fromkeys(("official", "sample"), (*SPLITS, "seed"))

    task: Literal["image"] = "image"
    source: Literal["auto", "official", "sample"] = "auto"
    train: Count = 45_000
    val: Count = 5_000
    test: Count = 10_000
    seed: int = 0

    @property
    def max_len(self) -> int:
        return 32 * 32


SPLIT = Deviation(
    "5,000 stratified training images, drawn by a seed, validate (source: the last tenth in the "
    "order of TensorFlow Datasets)"
)
SMALL = (BLACK, SPLIT, validated(20, 19))
PROTOCOLS = {
    "nystromformer": Setup(
        task=ImageSettings(),
        model=ModelSettings(vocabulary=512, positions=1_024),
        training=TrainingSettings(steps=35_000, warmup=175, eval_every=175, batch=256),
        deviations=SMALL,
    ),
    "skyformer": Setup(
        task=ImageSettings(),
        model=ModelSettings(vocabulary=256, positions=1_024),
        training=replace(SKYFORMER, warmup=175, eval_every=50, batch=256),
        deviations=SMALL,
    ),
    "google": Setup(
        task=ImageSettings(),
        model=replace(
            PIXELS,
            **{"layers": 1, "heads": 8, "dim": 128, "inner": 64, "ffn": 128, "head": 128},
            **{"dropout": 0.3, "positions": 1_025, "pooling": "cls"},
        ),
        training=replace(epochs(200, 175, 256), learning_rate=5e-4),
        deviations=(
            Deviation(
                "the released sizes (paper: 3 layers, 4 heads)",
                "--set model.layers=3 model.heads=4",
            ),
            Deviation(
                "the released rate, 0.0005 (paper: 0.01)", "--set training.learning_rate=0.01"
            ),
            GOOGLE_BLACK,
            SPLIT,
            WHOLE_BATCHES,
        ),
        stated=BLOCKS_OF_IMAGES,
        attention_dropout=0.2,
    ),
    "quick": Setup(
        task=ImageSettings(source="sample", **FEW),
        model=ModelSettings(vocabulary=512, positions=1_024),
        training=QUICK,
    ),
}
