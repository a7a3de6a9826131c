"""What decides a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from attention_zoo import Mixer, Spec, UnsupportedError, UsageError
from attention_zoo.spec import attention_of
from lra.choices import PRECISIONS
from lra.protocols import Protocol
from lra.system.files import fingerprint

# What attention computes in, by precision.
DTYPES = {name: getattr(torch, dtype) for name, dtype in PRECISIONS.items()}


FIRST = ("cls", "first")  # pooling by one token


@dataclass(frozen=True)
class Place:
    """Where a run's data and results are."""

    results: Path
    data_dir: Path


@dataclass(frozen=True)
class Launch:
    """How Lightning runs a training; the batch of the protocol is shared among the devices.

    tensorboard: whether to log there, too.
    """

    devices: int = 1
    strategy: str = "auto"
    tensorboard: bool = False


ONE_DEVICE = Launch()


@dataclass(frozen=True)
class RunConfig:
    """data: the fingerprint of its data. modified: protocol settings that `--set` changed.
    accelerator: cpu or cuda. micro_batch: examples that go through the model at once, None for the
    whole batch; dropout draws other masks with it. train_fraction: of the training split
    (lra.data.fractions)."""

    task: str
    attention: Spec
    protocol: Protocol
    data: str
    modified: dict[str, Any]
    seed: int
    precision: str
    accelerator: str
    plugins: tuple[str, ...] = ()
    micro_batch: int | None = None
    train_fraction: float = 1.0

    @property
    def identity(self) -> str:
        """The same for runs that must give the same result, but for the number of devices, which
        share a batch: no paths, no commit."""
        decides = {
            "task": self.task,
            "data": self.data,
            "attention": str(self.attention),
            "protocol": self.protocol.settings,
            "seed": self.seed,
            "precision": self.precision,
            "accelerator": self.accelerator,
            "micro_batch": self.micro_batch,
        }
        if self.train_fraction != 1:  # of the whole split as before there were fractions
            decides["train_fraction"] = self.train_fraction
        return fingerprint(decides)

    def directory(self, results: Path) -> Path:
        attention = "".join(c if c.isalnum() or c in "+=.-" else "_" for c in str(self.attention))
        part = "" if self.train_fraction == 1 else f"-f{self.train_fraction:g}"
        name = f"{self.task}-{attention}-{self.protocol.name}{part}-s{self.seed}"
        return results / "runs" / f"{name}-{self.identity[:8]}"


def choose_accelerator(asked: str) -> str:
    """cpu or cuda; `auto` takes CUDA where there is one, and nothing else falls back."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise UsageError("--accelerator cuda: torch sees no CUDA device here; use cpu or auto")
    return asked


def require_precision(precision: str, accelerator: str) -> None:
    """Raises UnsupportedError for float16 on the CPU, where Lightning would take bfloat16 instead:
    small gradients become 0 without the gradient scaler, which it has for CUDA alone."""
    if precision == "16-mixed" and accelerator != "cuda":
        raise UnsupportedError(
            f"--precision 16-mixed needs CUDA for its gradient scaler, not {accelerator}: use "
            "bf16-mixed or 32-true"
        )


def require_support(config: RunConfig) -> None:
    """Raises UnsupportedError with every reason why this variant cannot run here."""
    require_precision(config.precision, config.accelerator)
    model = config.protocol.model
    cls = attention_of(config.attention)
    reasons = cls.unsupported(
        config.accelerator, DTYPES[config.precision], model.width // model.heads
    )
    if cls.support.causal == "always" and issubclass(cls, Mixer) and model.pooling in FIRST:
        reasons.append(
            f"it is causal, and pooling={model.pooling} of the protocol reads the first token, "
            "which sees no other (--set model.pooling=mean)"
        )
    if reasons:
        raise UnsupportedError(f"{config.attention} cannot run here: {'; '.join(reasons)}")
