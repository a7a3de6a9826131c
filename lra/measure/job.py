"""What one process is told to measure, and the conversation that it has with its parent.

The parent starts `python -m lra.measure.bench_worker JOB.json READ WRITE`, where READ and WRITE are
descriptors of two pipes. The worker writes one Reply when it is ready; then each line that it reads
is a Request, and it answers each with one Reply, both one JSON object a line. It ends when its
requests do, or its parent. What it or a plugin prints goes to a log.

    check      the contract; a reply whose status is not `ok` says why there will be no figures
    warm N     one forward and one training pass; the peak of physical memory so far is kept
    count N    memory, operations, bytes, kernels
    time N     untimed passes, then timed ones
    machine    the environment and its limits
"""

from dataclasses import dataclass
from typing import Literal

import torch

from attention_zoo import Spec, parse_spec
from lra.measure.sheet import OK, Limits, Settings
from lra.protocols import Protocol
from lra.run_config import DTYPES
from lra.system.environment import Environment

FLOATS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
        return (FLOATS | DTYPES)[self.settings.dtype]


@dataclass(frozen=True)
class Request:
    ask: Literal["check", "warm", "count", "time", "machine"]
    N: int = 0


@dataclass(frozen=True)
class Work:
    """What one pass does; see lra.measure.sheet.Pass."""

    flops: int
    formula: int | None
    bytes: int


@dataclass(frozen=True)
class Count:
    parameters: int
    memory: dict[str, int]
    kernels: list[str]
    forward: Work
    training: Work


@dataclass(frozen=True)
class Times:
    """Milliseconds of each repetition."""

    forward: list[float]
    training: list[float]


@dataclass(frozen=True)
class Machine:
    environment: Environment
    limits: Limits


@dataclass(frozen=True)
class Reply:
    """status: of the row that was asked about, `ok` with what the request is for."""

    status: str = OK
    reason: str | None = None
    count: Count | None = None
    times: Times | None = None
    machine: Machine | None = None
