"""What is known of a run while it is unfinished."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lra.measure.variant import Measurement
from lra.results.record import Part
from lra.system.environment import Environment
from lra.system.files import write_json
from lra.typed import load

UNFINISHED = "unfinished"  # the folder, in a run's, of what goes when the run is on record
JOURNAL = "journal.json"


@dataclass(frozen=True)
class Journal:
    """started: when the first process began, which tells runs of one identity apart."""

    started: str
    environment: Environment
    measurement: Measurement
    parts: list[Part]


def write_journal(folder: Path, journal: Journal) -> None:
    folder.mkdir(exist_ok=True)
    write_json(folder / JOURNAL, asdict(journal))


def read_journal(folder: Path) -> Journal | None:
    """None where there is none, or a damaged one: the measurement is then made again."""
    try:
        return load(Journal, json.loads((folder / JOURNAL).read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None
