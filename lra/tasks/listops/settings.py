"""What decides the data of ListOps, and its setup under each protocol."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from attention_zoo.errors import UsageError
from lra.settings import Count, Deviation, ModelSettings, Stated, TrainingSettings
from lra.tasks.base import SPLITS, Setup, TaskSettings
from lra.tasks.listops.expressions import VOCABULARY
from lra.tasks.shared import POOLING, QUICK, RSQRT, SKYFORMER, TEXTS
from lra.typed import frozen


@frozen
class ListOpsSettings(TaskSettings):
    """source: the official files, or expressions drawn here. brackets=drop leaves out every `]`, as
    the lineage's tokenisation once did. From min_length on they are the generator's: strict bounds
    on lengths in tokens (brackets counted), the shape of expressions, the seed. Their defaults are
    the official release's.
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

    task: Literal["listops"] = "listops"
    source: Literal["auto", "official", "generated"] = "auto"
    train: Count = 96_000
    val: Count = 2_000
    test: Count = 2_000
    brackets: Literal["keep", "drop"] = "keep"
    min_length: Annotated[int, Field(ge=0)] = 500
    max_length: Count = 2_000
    max_depth: Count = 10
    max_args: Annotated[int, Field(ge=2)] = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.min_length >= self.max_length:
            raise UsageError(
                f"task.min_length={self.min_length} must be less than "
                f"task.max_length={self.max_length}"
            )

    @property
    def max_len(self) -> int:
        return self.max_length


SMALL = ModelSettings(vocabulary=32, positions=2_048)
PADDED = Deviation("N = 2,000 (source: 2,048 with 48 pads)")


def closing_bracket(source: str) -> Deviation:
    return Deviation(f"closing bracket kept (source: {source})", "--set task.brackets=drop")


PROTOCOLS = {
    "nystromformer": Setup(
        task=ListOpsSettings(),
        model=SMALL,
        training=TrainingSettings(steps=5_000, warmup=1_000, eval_every=50),
        deviations=(
            closing_bracket("very likely all brackets lost in tokenisation"),
            POOLING,
            PADDED,
        ),
    ),
    "skyformer": Setup(
        task=ListOpsSettings(),
        model=SMALL,
        training=replace(SKYFORMER, warmup=1_000, eval_every=500),
        deviations=(closing_bracket("all brackets lost in tokenisation"), POOLING, PADDED),
    ),
    "google": Setup(
        task=ListOpsSettings(),
        model=replace(
            TEXTS, vocabulary=17, layers=4, heads=8, dim=512, ffn=1_024, head=1_024, positions=2_001
        ),
        training=replace(RSQRT, steps=5_000, warmup=1_000, eval_every=50),
        deviations=(
            Deviation(
                "the released sizes (paper: a larger model)",
                "--set model.layers=6 model.ffn=2048 model.head=2048",
            ),
        ),
        stated=(
            Stated(
                "performer:features=2,kernel=softmax",
                "listops/configs/performer_base.py, attention_fn_cls, nb_features",
            ),
        ),
    ),
    "quick": Setup(
        task=ListOpsSettings(
            source="generated", train=20_000, val=1_000, test=1_000, min_length=16, max_length=128
        ),
        model=ModelSettings(vocabulary=32, positions=128),
        training=replace(QUICK, steps=600, warmup=60),
        comparable="not comparable with LRA: short expressions, minutes on a CPU",
    ),
}
