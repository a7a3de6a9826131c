"""What one process is told to measure, and the conversation that it has with its parent.

The job is `lra.measure.answers:answer`. It tells one Reply when it is ready; then it answers each
Request with one. What it or a plugin prints goes to a log.

    check      the contract; a reply whose status is not `ok` says why there will be no figures
    warm N     one forward and one training pass; the peak of physical memory so far is kept
    count N    parameters, memory, operations, kernels
    work N     bytes that are moved, and operations by the attention's formula
    time N     untimed passes, then timed ones: `least` of each or as many as fit into `seconds`
    machine    the environment and its limits
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from attention_zoo import Spec, parse_spec
from lra.choices import PRECISIONS
from lra.measure.sheet import OK, Limits, Settings
from lra.protocols import Protocol
from lra.system.environment import Environment


@dataclass(frozen=True)
class Job:
    """One variant. protocol: at level step alone. memory: bytes of main memory that the process may
    take, on the CPU. checks: of the contract kit; none are for tests of other things."""

    attention: str
    settings: Settings
    protocol: Protocol | None
    plugins: tuple[str, ...]
    memory: int | None
    checks: tuple[str, ...]

    @property
    def spec(self) -> Spec:
        return parse_spec(self.attention)

    @property
    def device(self) -> torch.device:
        return torch.device(self.settings.accelerator)

    @property
    def dtype(self) -> torch.dtype:
        """Of what attention computes in."""
        name = self.settings.dtype
        return getattr(torch, PRECISIONS.get(name, name))


def step_settings(
    task: str,
    protocol: Protocol,
    *,
    label: str,
    modified: dict[str, Any],
    precision: str,
    accelerator: str,
    micro_batch: int | None,
    compile: bool = False,
) -> Settings:
    """Of a training step of a task's model under a protocol that tables call `label`."""
    return Settings(
        level="step",
        batch=protocol.training.batch,
        heads=protocol.model.heads,
        head_dim=protocol.model.width // protocol.model.heads,
        dtype=precision,
        accelerator=accelerator,
        compile=compile,
        task=task,
        protocol=label,
        modified=modified,
        micro_batch=micro_batch,
    )


@dataclass(frozen=True)
class Request:
    ask: Literal["check", "warm", "count", "work", "time", "machine"]
    N: int = 0
    least: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Work:
    """Of one pass; see lra.measure.sheet.Pass."""

    formula: int | None
    bytes: int


@dataclass(frozen=True)
class Count:
    """over_softmax: at level step; see lra.measure.variant.Measurement. flops: of the forward and
    the training pass, as everything that is said of both."""

    parameters: int
    over_softmax: float | None
    memory: dict[str, int]
    kernels: list[str]
    flops: tuple[int, int]


@dataclass(frozen=True)
class Machine:
    environment: Environment
    limits: Limits


@dataclass(frozen=True)
class Reply:
    """status: of the row that was asked about. content: what was asked for, where that is `ok`: a
    Count, a Machine, or of forward and training passes their Work or milliseconds. over: the
    process is gone, or of no more use."""

    status: str = OK
    reason: str | None = None
    content: Any = None
    over: bool = False
