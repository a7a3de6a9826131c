"""What decides the data of Pathfinder and Path-X, and its setup under each protocol.

Neither Nyströmformer's code nor Skyformer's has Path-X or the other sizes: these are Pathfinder's
settings at the batch that LRA's own code has for them.
"""

from dataclasses import replace
from typing import ClassVar, Literal

from attention_zoo.errors import UsageError
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

RESOLUTIONS = {"pathfinder": 32, "pathx": 128, "pathfinder64": 64, "pathfinder256": 256}


@frozen
class PathfinderSettings(PixelSettings):
    """source: the official images, or images drawn here. resolution: the task's. level: how long
    the curves are, 6, 9 or 14 dashes; LRA's tables are of the last. train, val, test: drawn by the
    seed, as the generated images are. black: see PixelSettings.
    """

    DECIDE: ClassVar = dict.fromkeys(
        ("official", "generated"), ("resolution", "level", *SPLITS, "seed")
    )
    FIXED: ClassVar = PixelSettings.FIXED | {
        "resolution": f"--task chooses it: {', '.join(RESOLUTIONS)}"
    }

    task: Literal["pathfinder", "pathx", "pathfinder64", "pathfinder256"] = "pathfinder"
    source: Literal["auto", "official", "generated"] = "auto"
    train: Count = 160_000
    val: Count = 20_000
    test: Count = 20_000
    resolution: Literal[32, 64, 128, 256] = 32
    level: Literal["curv_baseline", "curv_contour_length_9", "curv_contour_length_14"] = (
        "curv_contour_length_14"
    )
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resolution != RESOLUTIONS[self.task]:
            raise UsageError(
                f"task.resolution={self.resolution} must be {RESOLUTIONS[self.task]} for "
                f"{self.task}"
            )

    @property
    def max_len(self) -> int:
        return self.resolution**2


DRAWN = Deviation("one split, drawn by a seed (source: another one whenever its script runs)")
UNPUBLISHED = Deviation(
    "the source has no configuration of this size: Pathfinder's, at the batch of LRA's own code"
)
SPLIT = Deviation("one split, drawn by a seed (source: tenths in the order of TensorFlow Datasets)")
MEAN = Deviation(
    "mean pooling over real tokens, which with black=padding are fewer (source: over all positions)"
)
RELEASED = (
    Deviation(
        "the released sizes (paper: 8 heads, 128 wide)",
        "--set model.heads=8 model.inner=128 model.ffn=128 model.head=128",
    ),
    Deviation("the released rate, 0.001 (paper: 0.01)", "--set training.learning_rate=0.01"),
)
BATCHES = {"pathfinder64": 256, "pathx": 64, "pathfinder256": 32}
NYSTROMFORMER = TrainingSettings(steps=62_400, warmup=312, eval_every=312)
PATHFINDER_SKYFORMER = replace(SKYFORMER, warmup=312, eval_every=500, learning_rate=2e-4)
GOOGLE = {
    "pathfinder": (
        replace(
            PIXELS, layers=4, heads=4, inner=16, dropout=0.2, positions=1_024, encoding="sinusoidal"
        ),
        epochs(200, 312, 512),
        (*RELEASED, GOOGLE_BLACK, SPLIT, MEAN, WHOLE_BATCHES),
    ),
    "pathfinder64": (
        replace(PIXELS, layers=2, heads=4, positions=4_097, pooling="cls"),
        epochs(200, 625, 256),
        (GOOGLE_BLACK, SPLIT, WHOLE_BATCHES),
    ),
    "pathx": (
        replace(PIXELS, layers=1, heads=2, inner=16, positions=16_384),
        replace(epochs(200, 2_500, 64), clip_norm=1.0),
        (GOOGLE_BLACK, SPLIT, MEAN, WHOLE_BATCHES),
    ),
    "pathfinder256": (
        replace(PIXELS, layers=2, heads=4, positions=65_537, pooling="cls"),
        epochs(100, 5_000, 32),
        (GOOGLE_BLACK, SPLIT, WHOLE_BATCHES),
    ),
}


def small(task: str, training: TrainingSettings, batch: int, *own: Deviation) -> Setup:
    """Of the protocols nystromformer and skyformer; batch, own: where the source has the task."""
    data = PathfinderSettings(task=task, resolution=RESOLUTIONS[task])
    return Setup(
        task=data,
        model=ModelSettings(vocabulary=512, positions=data.max_len),
        training=replace(training, batch=BATCHES.get(task, batch)),
        deviations=(BLACK, DRAWN, *([UNPUBLISHED] if task in BATCHES else own)),
    )


def google(task: str) -> Setup:
    model, training, deviations = GOOGLE[task]
    data = PathfinderSettings(task=task, resolution=RESOLUTIONS[task])
    stated = BLOCKS_OF_IMAGES if task == "pathfinder" else ()
    return Setup(data, model, training, deviations, stated)


def quick(task: str) -> Setup:
    sizes = FEW if task == "pathfinder" else {"train": 32, "val": 16, "test": 16}
    data = PathfinderSettings(
        task, "generated", resolution=RESOLUTIONS[task], level="curv_baseline", **sizes
    )
    model = ModelSettings(vocabulary=512, positions=data.max_len)
    if task == "pathfinder":
        what = "few and easy drawings, minutes on a CPU"
        return Setup(data, model, QUICK, comparable=f"not comparable with LRA: {what}")
    return Setup(
        data,
        replace(model, layers=1, dim=32, heads=1, ffn=32, head=32),
        replace(QUICK, steps=16, warmup=2, eval_every=8, batch=4),
        comparable="not comparable with LRA: 64 easy drawings, to see that a run works",
    )


def protocols(task: str) -> dict[str, Setup]:
    return {
        "nystromformer": small(task, NYSTROMFORMER, 256, validated(312, 78)),
        "skyformer": small(task, PATHFINDER_SKYFORMER, 128),
        "google": google(task),
        "quick": quick(task),
    }
