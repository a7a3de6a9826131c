"""What a protocol fixes besides a task's data: the model and its training."""

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from attention_zoo.errors import UsageError
from lra.typed import frozen

# More would fill the memory of the machine, or take hours to build, before anything is said.
MOST_LAYERS, MOST_WEIGHTS = 1_000, 10**9

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


@frozen
class ModelSettings:
    """The encoder that is the same for all variants.

    vocabulary: rows of the token table; token_std: of its initial normal distribution. positions:
    rows of the position table, learned or sinusoidal (Vaswani et al. 2017, §3.5). inner: the width
    of q, k and v, dim where it is none. bias: of the q, k, v and output projections. pooling: the
    mean of the real tokens; their sum over the next power of two from the longest sequence, to
    which the small protocols' sources pad (padded_mean); a learned vector, zero at first, that
    stands before the sequence (cls); or the first token. pairs: what the head sees of two sequences
    a and b: [a, b, a·b, a−b], or [a, b] and one more hidden layer of half the width (as LRA's
    released code has it). attention_dropout: of the entries of Ā in training, off for an attention
    that does not support it.
    """

    SECTION: ClassVar = "model"

    layers: Count = 2
    dim: Count = 64
    heads: Count = 2
    ffn: Count = 128
    head: Count = 128
    dropout: Fraction = 0.1
    vocabulary: Count = 32
    token_std: Positive = 0.02
    positions: Count = 2048
    encoding: Literal["learned", "sinusoidal"] = "learned"
    inner: Count | None = None
    bias: bool = True
    pooling: Literal["mean", "padded_mean", "cls", "first"] = "mean"
    pairs: Literal["product", "concat"] = "product"
    attention_dropout: Fraction = 0.0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            name = "dim" if self.inner is None else "inner"
            raise UsageError(
                f"model.{name}={self.width} must be divisible by model.heads={self.heads}"
            )
        weights = (self.vocabulary + self.positions + self.head) * self.dim
        weights += 2 * self.layers * self.dim * self.ffn
        if self.layers > MOST_LAYERS or weights > MOST_WEIGHTS:
            raise UsageError(
                f"the model is too large: it has {self.layers:,} layers and at least {weights:,} "
                f"parameters; at most {MOST_LAYERS:,} and {MOST_WEIGHTS:,}"
            )
        if self.pairs == "concat" and self.head < 2:
            raise UsageError("model.head=1 must be 2 or more with model.pairs=concat")
        if self.encoding == "sinusoidal" and self.dim % 2:
            raise UsageError(f"model.encoding=sinusoidal needs an even model.dim, not {self.dim}")

    @property
    def width(self) -> int:
        """Of q, k and v, all heads together."""
        return self.dim if self.inner is None else self.inner


@frozen
class TrainingSettings:
    """AdamW under one of three schedules.

    onecycle: torch's OneCycleLR with linear annealing, from learning_rate/25 up to learning_rate
    over `warmup` steps, then down to a 10⁴th of the start; β₁ runs .95 → .85 → .95 and beta1 is
    not used. rsqrt: learning_rate · min(1, step/warmup) / √max(step, warmup). cosine:
    learning_rate · min(1, step/warmup) · ½(1 + cos(π · max(0, step − warmup) / steps)).

    steps, warmup, eval_every: optimizer steps. batch: examples. clip_value: largest entry of a
    gradient; clip_norm: its largest norm. bucket: so many batches share their examples out by
    length, which saves padding; 0 leaves them as the seed shuffled them. select: which weights are
    tested, the best on validation or the last validated. drop_last: evaluations leave out what
    fills no whole batch.
    """

    SECTION: ClassVar = "training"

    steps: Count = 5_000
    batch: Count = 32
    learning_rate: Positive = 1e-4
    schedule: Literal["onecycle", "rsqrt", "cosine"] = "onecycle"
    warmup: Count = 1_000
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-6
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip_value: Positive | None = None
    clip_norm: Positive | None = None
    bucket: Annotated[int, Field(ge=0)] = 0
    eval_every: Count = 50
    select: Literal["best", "last"] = "best"
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.schedule == "onecycle":
            if self.warmup < 2:  # OneCycleLR divides by warmup − 1
                raise UsageError("training.warmup=1 must be 2 or more with schedule=onecycle")
            if self.warmup >= self.steps:
                raise UsageError(
                    f"training.warmup={self.warmup} must be less than training.steps={self.steps}"
                )
        if self.clip_value is not None and self.clip_norm is not None:
            raise UsageError("training.clip_value and training.clip_norm: only one can be set")

    def rate(self, step: int) -> float:
        """The share of learning_rate at a step from 0, under schedule=rsqrt or cosine."""
        warm = min(1.0, step / self.warmup)
        if self.schedule == "rsqrt":
            return warm / math.sqrt(max(step, self.warmup))
        return warm * 0.5 * (1 + math.cos(math.pi * max(0, step - self.warmup) / self.steps))


@frozen
class Deviation:
    """Where we leave a protocol's source. restore: options that bring the source's way back."""

    text: str
    restore: str | None = None


@frozen
class Stated:
    """With which options the source of a protocol ran an attention: what its bare name means.

    spec: the attention with its options, those at the class' defaults too. source: the file and
    the option that says so.
    """

    spec: str
    source: str

    @property
    def attention(self) -> str:
        return self.spec.partition(":")[0]
