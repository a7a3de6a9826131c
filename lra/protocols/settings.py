"""What a protocol fixes: the model, its training, the task's data."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from attention_zoo.errors import UsageError
from lra.tasks.listops import ListOpsSettings


def _at_least(least: int, section: str, settings: Any, *keys: str) -> None:
    for key in keys:
        if getattr(settings, key) < least:
            raise UsageError(f"{section}.{key}={getattr(settings, key)} must be {least} or more")


@dataclass(frozen=True)
class ModelSettings:
    """The encoder that is the same for all variants.

    vocabulary: rows of the token table; token_std: of its initial normal distribution.
    positions: rows of the position table, learned or sinusoidal (Vaswani et al. 2017, §3.5).
    bias: of the q, k, v and output projections. pooling: the mean of the real tokens; their sum
    over `positions`, the length to which the small protocols' sources pad; or a learned vector,
    zero at first, that stands before the sequence.
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
    bias: bool = True
    pooling: Literal["mean", "padded_mean", "cls"] = "mean"

    def __post_init__(self) -> None:
        _at_least(1, "model", self, "layers", "dim", "heads", "ffn", "head", "positions")
        if self.dim % self.heads:
            raise UsageError(f"model.dim={self.dim} is no multiple of model.heads={self.heads}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"model.dropout={self.dropout} is not in [0, 1)")
        if self.token_std <= 0:
            raise UsageError(f"model.token_std={self.token_std} must be more than 0")
        if self.encoding == "sinusoidal" and self.dim % 2:
            raise UsageError(f"model.encoding=sinusoidal needs an even model.dim, not {self.dim}")


@dataclass(frozen=True)
class TrainingSettings:
    """AdamW under one of two schedules.

    onecycle: torch's OneCycleLR with linear annealing, from learning_rate/25 up to learning_rate
    over `warmup` steps, then down to a 10⁴th of the start; β₁ runs .95 → .85 → .95 and beta1 is
    not used. rsqrt: learning_rate · min(1, step/warmup) / √max(step, warmup).

    steps, warmup, eval_every: optimizer steps. batch: examples. clip_value: largest entry of a
    gradient. select: which weights are tested, the best on validation or the last validated.
    drop_last: evaluations leave out what fills no whole batch.
    """

    steps: int = 5_000
    batch: int = 32
    learning_rate: float = 1e-4
    schedule: Literal["onecycle", "rsqrt"] = "onecycle"
    warmup: int = 1_000
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    weight_decay: float = 0.0
    clip_value: float | None = None
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
        if self.clip_value is not None and self.clip_value <= 0:
            raise UsageError("training.clip_value must be more than 0, or none")

    def rsqrt_rate(self, step: int) -> float:
        """The share of learning_rate at a step from 0, under schedule=rsqrt."""
        return min(1.0, step / self.warmup) / math.sqrt(max(step, self.warmup))


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
    task: ListOpsSettings
    model: ModelSettings
    training: TrainingSettings

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a result: everything but the prose."""
        sections = {name: asdict(getattr(self, name)) for name in ("task", "model", "training")}
        return {"name": self.name, **sections}
