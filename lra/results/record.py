"""One JSON a run: what it was, what came out, what it cost, where it ran."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from attention_zoo import UsageError
from lra.environment import Environment
from lra.files import write_json
from lra.measure.variant import Measurement
from lra.protocols import Protocol
from lra.training.module import Evaluation
from lra.typed import load

SCHEMA = 1
RECORD = "record.json"


@dataclass(frozen=True)
class Data:
    """baselines: test accuracy of trivial rules on these data."""

    source: str
    fingerprint: str
    baselines: dict[str, float]


@dataclass(frozen=True)
class Training:
    """seconds: validations included. best_step: of the checkpoint that was tested."""

    seconds: float
    best_step: int


@dataclass(frozen=True)
class FilterWeights:
    """w0, w1, wK of each filter, `[layer][filter][name][head]`."""

    initial: list[list[dict[str, list[float]]]]
    learned: list[list[dict[str, list[float]]]]


@dataclass(frozen=True)
class Record:
    """attention: its canonical spec. modified: settings that left the protocol, by name.
    command: what repeats the run. val and test: of the best checkpoint on validation."""

    schema: int
    identity: str
    finished: str
    command: str
    task: str
    attention: str
    seed: int
    precision: str
    accelerator: str
    modified: dict[str, Any]
    protocol: Protocol
    data: Data
    val: Evaluation
    test: Evaluation
    training: Training
    gfsa: FilterWeights
    measurement: Measurement
    environment: Environment


def write_record(directory: Path, record: Record) -> None:
    write_json(directory / RECORD, asdict(record))


def read_record(path: Path) -> Record:
    """The record in a file; UsageError names the file and what is wrong with it."""
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and content.get("schema") != SCHEMA:
            raise UsageError(f"schema is {content.get('schema')!r}, not {SCHEMA}")
        return load(Record, content)
    except ValueError as error:  # UsageError, and what json raises
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def read_records(results: Path) -> Iterator[Record | UsageError]:
    """Every record under `results`, in the order of their paths; errors for those that are none."""
    for path in sorted(results.glob(f"runs/*/{RECORD}")):
        try:
            yield read_record(path)
        except UsageError as error:
            yield error
