"""A measurement over lengths as it lies on disk: one JSON, a row a variant and length."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from attention_zoo import UsageError
from attention_zoo.errors import one_line
from lra.choices import Level
from lra.measure.memory import has_headline
from lra.measure.timing import Ratio, Timing
from lra.system.environment import Environment
from lra.system.files import write_json
from lra.typed import frozen, load

SCHEMA = 1
OK, FAILS, UNSUPPORTED, TIME_LIMIT = "ok", "fails its contract", "unsupported", "time limit"
FIGURES = ("forward", "training", "memory", "kernels", "parameters")
OF_A_STEP = ("task", "protocol", "modified")


@frozen
class Pass:
    """One forward pass, or one with its backward pass (and, at level step, the optimiser).

    flops: of products, counted. formula: the same from the attention's formula, None where a
    stranger's has none. bytes: that operators read and write, counted.
    """

    time: Timing
    flops: int
    formula: int | None
    bytes: int


@frozen
class Row:
    """status: `ok`, or how it ended: `out of memory`, `time limit`, `killed`, `fails its contract`,
    `unsupported` or `error`, with a reason; then there are no figures, else all of them.
    training: forward and backward. memory: bytes of the training pass by method, as a run's record
    has them. parameters: learned ones of the operator, layer or model. ratio: of the training pass
    to that of the attention without its last filter, where that was measured, too."""

    attention: str
    N: int
    status: str
    reason: str | None = None
    forward: Pass | None = None
    training: Pass | None = None
    memory: dict[str, int] | None = None
    kernels: list[str] | None = None
    parameters: int | None = None
    ratio: Ratio | None = None

    def __post_init__(self) -> None:
        if self.status != OK:
            return
        lacking = [name for name in FIGURES if getattr(self, name) is None]
        if "memory" not in lacking and not has_headline(self.memory):
            lacking.append("memory")
        if lacking:
            raise UsageError(
                f"the row {self.attention} N={self.N} is {OK} and has no {', '.join(lacking)}"
            )


@frozen
class Settings:
    """What the rows share. dtype: of all that is computed; at level step the precision, as a run's
    record names it. task, protocol, modified, micro_batch: at level step alone."""

    level: Level
    batch: int
    heads: int
    head_dim: int
    dtype: str
    accelerator: str
    compile: bool
    task: str | None = None
    protocol: str | None = None
    modified: dict[str, Any] | None = None
    micro_batch: int | None = None

    def __post_init__(self) -> None:
        lacking = [name for name in OF_A_STEP if getattr(self, name) is None]
        if self.level == "step" and lacking:
            raise UsageError(f"settings of level step without {', '.join(lacking)}")


@frozen
class Limits:
    """What the machine gives at most, measured: bytes a second that a copy reads and writes,
    operations a second of a product of matrices in the sheet's dtype."""

    bytes_per_second: Annotated[float, Field(gt=0)]
    flops_per_second: Annotated[float, Field(gt=0)]


@frozen
class Sheet:
    schema: int
    finished: str
    command: str
    settings: Settings
    environment: Environment
    limits: Limits
    rows: list[Row]


def write_sheet(path: Path, sheet: Sheet) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(sheet))


def read_sheet(path: Path) -> Sheet:
    """UsageError names the file and what is wrong with it."""
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and content.get("schema") != SCHEMA:
            raise UsageError(f"schema is {content.get('schema')!r}, not {SCHEMA}")
        return load(Sheet, json.dumps(content))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {one_line(error)}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
