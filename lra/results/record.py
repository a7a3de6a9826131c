"""One JSON a run: what it was, what came out, what it cost, where it ran."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from attention_zoo import UsageError
from attention_zoo.errors import one_line
from lra.measure.memory import HEADLINE_MEMORY
from lra.measure.variant import Measurement
from lra.protocols import Protocol
from lra.results.migrate import migrated
from lra.system.environment import Environment, machine_words, short_commit
from lra.system.files import write_json
from lra.tasks import get_task
from lra.training.evaluation import Evaluation
from lra.typed import load

SCHEMA = 3
RUNS, RECORD, FAILURE = "runs", "record.json", "failure.json"


@dataclass(frozen=True)
class Data:
    """baselines: test accuracy of trivial rules on these data."""

    source: str
    fingerprint: str
    baselines: dict[str, float]


@dataclass(frozen=True)
class Part:
    """What one process trained: from step `start` on, as a resumed run has several."""

    start: int
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


@dataclass(frozen=True)
class Training:
    """seconds: of all parts, validations included. best_step: of the weights that were tested,
    which best.ckpt holds; checkpoint: its SHA-256. checkpoint and started are None where a record
    of schema 1 did not keep them."""

    seconds: float
    best_step: int
    checkpoint: str | None
    started: str | None
    parts: list[Part]


@dataclass(frozen=True)
class FilterWeights:
    """w0, w1, wK of each filter, `[layer][filter][name][head]`."""

    initial: list[list[dict[str, list[float]]]]
    learned: list[list[dict[str, list[float]]]]


@dataclass(frozen=True)
class RunRecord:
    """What is on record of every run, however it ended.

    attention: its canonical spec. micro_batch: examples that went through the model at once, where
    not the whole batch. modified: settings that left the protocol, by name. command: what repeats
    the run. environment: of its measurement, where there is one.
    """

    schema: int
    identity: str
    finished: str
    command: str
    task: str
    attention: str
    seed: int
    precision: str
    accelerator: Literal["cpu", "cuda"]
    micro_batch: int | None
    modified: dict[str, str | int | float | bool | None]
    protocol: Protocol
    data: Data
    environment: Environment

    def __post_init__(self) -> None:
        get_task(self.task)  # UsageError for a task that there is not


@dataclass(frozen=True)
class Record(RunRecord):
    """A run with a result. val and test: of the weights that training.select names."""

    val: Evaluation
    test: Evaluation
    training: Training
    gfsa: FilterWeights
    measurement: Measurement

    def __post_init__(self) -> None:
        super().__post_init__()
        method = HEADLINE_MEMORY[self.accelerator]
        if self.measurement.memory.get(method, 0) <= 0:
            raise UsageError(f"measurement.memory has no {method}")


@dataclass(frozen=True)
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
    """The record in a file, of this schema or an older one; UsageError names the file and what is
    wrong with it."""
    try:
        content = migrated(json.loads(path.read_bytes()), SCHEMA)
        return load(Failure if path.name == FAILURE else Record, content)
    except (ValueError, RecursionError) as error:  # UsageError, and what json raises
        raise UsageError(f"{path}: {one_line(error)}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def read_records(results: Path) -> Iterator[Record | Failure | UsageError]:
    """Each run's record under `results`, or of its failure where that is all there is, in the
    order of their paths; errors for those that are none."""
    for directory in run_folders(results):
        yield from read_run(directory)


def read_run(directory: Path) -> Iterator[Record | Failure | UsageError]:
    """What is on record of the run in a folder, as `read_records` has it; nothing where nothing
    is."""
    path = record_file(directory)
    if path:
        try:
            yield read_record(path)
        except UsageError as error:
            yield error


def run_folders(results: Path) -> list[Path]:
    """The folders of runs, on record or not, in the order of their names. Those that begin with a
    dot are on their way in or out."""
    runs = results / RUNS
    try:
        with os.scandir(runs) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []
    return [runs / name for name in sorted(names) if not name.startswith(".")]


def record_file(directory: Path) -> Path | None:
    """The file that says how the run in a folder ended: its record, else its failure."""
    for path in (directory / RECORD, directory / FAILURE):
        if os.path.exists(path):
            return path
    return None
