"""One JSON a run: what it was, what came out, what it cost, where it ran.

Two records of one identity need not be equal: dropout's draws, and rounding, are a commit's. From
0.2.0 on batches are packed and a CPU's dropout takes 16 bits an entry.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from attention_zoo import UsageError
from lra.measure.memory import HEADLINE_MEMORY
from lra.measure.variant import Measurement
from lra.protocols import Protocol
from lra.results.beside import of_schema
from lra.results.layout import FAILURE, RECORD
from lra.system.environment import Environment, machine_words, short_commit
from lra.system.files import write_json
from lra.tasks import get_task
from lra.training.evaluation import Evaluation
from lra.training.weights import Filters
from lra.typed import frozen, load

SCHEMA = 1
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@frozen
class Data:
    """baselines: test accuracy of trivial rules on these data, whole. train_fraction: of the
    training split that was trained on."""

    source: str
    fingerprint: str
    baselines: dict[str, Share]
    train_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0


@frozen
class Part:
    """What one process trained: from step `start` on, as a resumed run has several."""

    start: Count
    commit: str | None
    device: str
    devices: int
    threads: int
    torch: str

    @property
    def machine(self) -> str:
        return machine_words(self.device, self.threads, self.torch)

    @property
    def short_commit(self) -> str:
        return short_commit(self.commit)


@frozen
class Training:
    """seconds: of all parts, validations included. best_step: of the weights that were tested,
    which best.ckpt holds; checkpoint: its SHA-256. started: when the first process began."""

    seconds: Annotated[float, Field(ge=0)]
    best_step: Count
    checkpoint: str
    started: str
    parts: list[Part]


@frozen
class FilterWeights:
    """The parameters of each filter by name, `[layer][filter][name]`, before and after training."""

    initial: Filters
    learned: Filters


@frozen
class RunRecord:
    """What is on record of every run, however it ended.

    attention: its canonical spec. micro_batch: examples that went through the model at once, where
    not the whole batch. attention_dropout: that the attention had, 0 where it does not support it
    whatever the protocol says. modified: settings that left the protocol, by name. command: what
    repeats the run. environment: of its measurement, where there is one.
    """

    schema: Annotated[int, of_schema(SCHEMA)]
    identity: str
    finished: str
    command: str
    task: str
    attention: str
    seed: Count
    precision: str
    accelerator: Literal["cpu", "cuda"]
    micro_batch: int | None
    attention_dropout: float
    modified: dict[str, str | int | float | bool | None]
    protocol: Protocol
    data: Data
    environment: Environment

    def __post_init__(self) -> None:
        try:
            get_task(self.task)
        except UsageError as error:
            raise UsageError(f"{error}; --plugin MODULE has those of others") from None


@frozen
class Record(RunRecord):
    """A run with a result. val and test: of the weights that training.select names. measurement:
    None where none was asked for."""

    val: Evaluation
    test: Evaluation
    training: Training
    filters: FilterWeights
    measurement: Measurement | None

    def __post_init__(self) -> None:
        super().__post_init__()
        method = HEADLINE_MEMORY[self.accelerator]
        if self.measurement and self.measurement.memory.get(method, 0) <= 0:
            raise UsageError(f"measurement.memory has no {method}")


@frozen
class Failure(RunRecord):
    """A run that ended without one. kind: `not finite`, `out of memory`, `time limit`, `killed` or
    `error`. reason: one line. Its data are given without baselines."""

    kind: str
    reason: str


def learned(record: Record) -> bool:
    """Whether a run is more than two standard errors better than what needs no learning: guessing
    uniformly, or the most frequent label."""
    constant = max(
        get_task(record.task).metadata.chance, record.data.baselines.get("majority class", 0.0)
    )
    return record.test.accuracy > constant + 2 * record.test.standard_error


def write_record(directory: Path, record: Record | Failure) -> None:
    write_json(directory / (RECORD if isinstance(record, Record) else FAILURE), asdict(record))


def read_record(path: Path) -> Record | Failure:
    """The record in a file; UsageError names the file and what is wrong with it."""
    try:
        return load(Failure if path.name == FAILURE else Record, path.read_bytes())
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
