"""What is known of a run while it is unfinished."""

from dataclasses import asdict, replace
from pathlib import Path

from attention_zoo import UsageError
from lra.measure.variant import Measurement
from lra.results.layout import JOURNAL
from lra.results.record import Part
from lra.system.environment import Environment
from lra.system.files import write_json
from lra.typed import frozen, load


@frozen
class Measured:
    """A measurement and where it was made."""

    environment: Environment
    measurement: Measurement

    def holds(self, here: Environment) -> bool:
        """Whether it says what would be measured here."""
        return replace(self.environment, commit=None) == replace(here, commit=None)


@frozen
class Journal:
    """started: when the first process began, which tells runs of one identity apart."""

    started: str
    environment: Environment
    measurement: Measurement | None
    parts: list[Part]


def write_journal(folder: Path, journal: Journal) -> None:
    folder.mkdir(exist_ok=True)
    write_json(folder / JOURNAL, asdict(journal))


def read_journal(folder: Path) -> Journal | None:
    """None where there is none, or a damaged one: the measurement is then made again. Raises
    OSError for one that cannot be read now, which may be whole."""
    try:
        return load(Journal, (folder / JOURNAL).read_bytes())
    except (FileNotFoundError, UsageError):
        return None
