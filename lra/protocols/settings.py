"""What a protocol fixes: the model, its training, the task's data."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from attention_zoo.errors import UsageError
from lra.tasks import AnySettings


def _at_least(least: int, section: str, settings: Any, *keys: str) -> None:
    for key in keys:
        if getattr(settings, key) < least:
            raise UsageError(f"{section}.{key}={getattr(settings, key)} must be {least} or more")


@dataclass(frozen=True)
class ModelSettings:
    """The encoder that is the same for all variants.

    vocabulary: rows of the token table; token_std: of its initial normal distribution. positions:
    rows of the position table, learned or sinusoidal (Vaswani et al. 2017, §3.5). inner: the width
    of q, k and v, dim where it is none. bias: of the q, k, v and output projections. pooling: the
    mean of the real tokens; their sum over the next power of two from the longest sequence, to
    which the small protocols' sources pad (padded_mean); a learned vector, zero at first, that
    stands before the sequence (cls); or the first token. pairs: what the head sees of two sequences
    a and b: [a, b, a·b, a−b], or [a, b] and one more hidden layer of half the width (as LRA's
    released code has it).
    """

    layers: int = 2
    dim: int = 64
    heads: int = 2
    ffn: int = 128
    head: int = 128
    dropout: float = 0.1
    vocabulary: int = 32
    token_std: float = 0.02
    positions: int = 2048
    encoding: Literal["learned", "sinusoidal"] = "learned"
    inner: int | None = None
    bias: bool = True
    pooling: Literal["mean", "padded_mean", "cls", "first"] = "mean"
    pairs: Literal["product", "concat"] = "product"

    def __post_init__(self) -> None:
        _at_least(1, "model", self, "layers", "dim", "heads", "ffn", "head", "positions")
        if self.width < 1 or self.width % self.heads:
            name = "dim" if self.inner is None else "inner"
            raise UsageError(
                f"model.{name}={self.width} is no multiple of model.heads={self.heads}"
            )
        if self.pairs == "concat":
            _at_least(2, "model", self, "head")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"model.dropout={self.dropout} is not in [0, 1)")
        if self.token_std <= 0:
            raise UsageError(f"model.token_std={self.token_std} must be more than 0")
        if self.encoding == "sinusoidal" and self.dim % 2:
            raise UsageError(f"model.encoding=sinusoidal needs an even model.dim, not {self.dim}")

    @property
    def width(self) -> int:
        """Of q, k and v, all heads together."""
        return self.dim if self.inner is None else self.inner


@dataclass(frozen=True)
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

    steps: int = 5_000
    batch: int = 32
    learning_rate: float = 1e-4
    schedule: Literal["onecycle", "rsqrt", "cosine"] = "onecycle"
    warmup: int = 1_000
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    bucket: int = 0
    eval_every: int = 50
    select: Literal["best", "last"] = "best"
    drop_last: bool = False

    def __post_init__(self) -> None:
        _at_least(1, "training", self, "steps", "batch", "eval_every", "warmup")
        if self.schedule == "onecycle":
            _at_least(2, "training", self, "warmup")  # OneCycleLR divides by warmup − 1
            if self.warmup >= self.steps:
                raise UsageError(
                    f"training.warmup={self.warmup} must be less than training.steps={self.steps}"
                )
        if self.learning_rate <= 0 or self.weight_decay < 0 or self.epsilon <= 0:
            raise UsageError("training needs learning_rate > 0, epsilon > 0 and weight_decay ≥ 0")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise UsageError("training.beta1 and training.beta2 must be in [0, 1)")
        _at_least(0, "training", self, "bucket")
        for key in ("clip_value", "clip_norm"):
            if getattr(self, key) is not None and getattr(self, key) <= 0:
                raise UsageError(f"training.{key} must be more than 0, or none")
        if self.clip_value is not None and self.clip_norm is not None:
            raise UsageError("training.clip_value and training.clip_norm: only one can be set")

    def rate(self, step: int) -> float:
        """The share of learning_rate at a step from 0, under schedule=rsqrt or cosine."""
        warm = min(1.0, step / self.warmup)
        if self.schedule == "rsqrt":
            return warm / math.sqrt(max(step, self.warmup))
        return warm * 0.5 * (1 + math.cos(math.pi * max(0, step - self.warmup) / self.steps))


@dataclass(frozen=True)
class Deviation:
    """Where we leave a protocol's source. restore: options that bring the source's way back."""

    text: str
    restore: str | None = None


@dataclass(frozen=True)
class Protocol:
    """comparable: what its results may be compared with."""

    name: Literal["nystromformer", "skyformer", "google", "quick"]
    source: str
    comparable: str
    deviations: tuple[Deviation, ...]
    task: AnySettings
    model: ModelSettings
    training: TrainingSettings

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a result: everything but the prose."""
        sections = {name: asdict(getattr(self, name)) for name in ("task", "model", "training")}
        return {"name": self.name, **sections}
