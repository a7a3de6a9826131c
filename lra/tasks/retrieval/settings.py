"""What decides the data of Retrieval, and its setup under each protocol."""

from dataclasses import replace
from typing import ClassVar, Literal

from lra.settings import Count, Deviation, ModelSettings, TrainingSettings
from lra.tasks.base import SPLITS, Setup, TaskSettings
from lra.tasks.shared import (
    FEW,
    POOLING,
    QUICK,
    RSQRT,
    SKYFORMER,
    TEXTS,
    WHOLE_BATCHES,
    validated,
)
from lra.typed import frozen


@frozen
class RetrievalSettings(TaskSettings):
    """source: the official pairs, or pairs of made-up papers in their format. train, val, test:
    pairs. max_len: bytes that are read of a paper. seed: the made-up papers'.
    """

    DECIDE: ClassVar = {
        "official": ("max_len", *SPLITS),
        "sample": ("max_len", *SPLITS, "seed"),
    }
    VOCABULARY: ClassVar = 257  # a byte + 1, and padding

    task: Literal["retrieval"] = "retrieval"
    source: Literal["auto", "official", "sample"] = "auto"
    train: Count = 147_086
    val: Count = 18_090
    test: Count = 17_437
    max_len: Count = 4_000
    seed: int = 0


PADDED = Deviation("N = 4,000 (source: 4,096 with 96 pads)")
SMALL = ModelSettings(vocabulary=512, positions=4_096)
PROTOCOLS = {
    "nystromformer": Setup(
        task=RetrievalSettings(),
        model=SMALL,
        training=TrainingSettings(steps=30_000, warmup=800, eval_every=300),
        deviations=(POOLING, PADDED),
    ),
    "skyformer": Setup(
        task=RetrievalSettings(),
        model=SMALL,
        training=replace(SKYFORMER, warmup=800, eval_every=1_000, batch=16, learning_rate=2e-4),
        deviations=(POOLING, PADDED, validated(300, 1_130)),
    ),
    "google": Setup(
        task=RetrievalSettings(),
        model=replace(
            TEXTS,
            **{"vocabulary": 257, "layers": 4, "heads": 4, "dim": 128, "ffn": 512, "head": 512},
            **{"positions": 4_000, "pooling": "first", "pairs": "concat"},
        ),
        training=replace(RSQRT, steps=5_000, warmup=8_000, eval_every=100),
        deviations=(
            Deviation(
                "the head sees [a, b], as released (paper: [a, b, a·b, a−b])",
                "--set model.pairs=product",
            ),
            Deviation(
                "the released rate, 0.05, whose warm-up never ends (paper: 0.5)",
                "--set training.learning_rate=0.5",
            ),
            WHOLE_BATCHES,
        ),
    ),
    "quick": Setup(
        task=RetrievalSettings(source="sample", max_len=512, **FEW),
        model=ModelSettings(vocabulary=512, positions=512),
        training=QUICK,
    ),
}
