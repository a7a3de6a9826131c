"""What is on record of a run under common corruptions: a JSON beside its record."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from attention_zoo import UsageError
from lra.results.beside import of_schema, read_beside
from lra.results.layout import CORRUPTIONS
from lra.results.record import Record
from lra.system.environment import Environment
from lra.system.files import write_json
from lra.training.evaluation import Evaluation
from lra.typed import frozen

SCHEMA = 1
Weights = tuple[str, str]  # identity, checkpoint


@frozen
class Corrupted:
    """The test split under one corruption of one severity."""

    corruption: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    severity: Annotated[int, Field(ge=1, le=5)]
    test: Evaluation

    @property
    def which(self) -> tuple[str, int]:
        return self.corruption, self.severity


@frozen
class Session:
    """What one command evaluated. library: versions of what computed the corruptions."""

    finished: str
    command: str
    accelerator: str
    library: dict[str, str]
    environment: Environment
    results: list[Corrupted]


@frozen
class Corruptions:
    """Of a run's weights, which identity and checkpoint name as its record does."""

    schema: Annotated[int, of_schema(SCHEMA)]
    identity: str
    checkpoint: str
    sessions: list[Session]

    def __post_init__(self) -> None:
        which = [one.which for session in self.sessions for one in session.results]
        if len(set(which)) < len(which):
            twice = next(one for one in which if which.count(one) > 1)
            raise UsageError(f"sessions has {twice[0]} of severity {twice[1]} twice")

    @property
    def weights(self) -> Weights:
        return self.identity, self.checkpoint

    @property
    def versions(self) -> list[str]:
        """Of what computed the corruptions, a line each."""
        sessions = (session.library for session in self.sessions)
        lines = {", ".join(f"{name} {version}" for name, version in of.items()) for of in sessions}
        return sorted(lines)

    @property
    def results(self) -> dict[tuple[str, int], Evaluation]:
        """By corruption and severity."""
        return {one.which: one.test for session in self.sessions for one in session.results}

    def with_session(self, session: Session) -> "Corruptions":
        """With what a session found in the place of what earlier ones found of the same."""
        anew = {one.which for one in session.results}
        kept = [
            replace(old, results=[one for one in old.results if one.which not in anew])
            for old in self.sessions
        ]
        return replace(self, sessions=[*(old for old in kept if old.results), session])


def weights_of(record: Record) -> Weights:
    return record.identity, record.training.checkpoint


def none_yet(record: Record) -> Corruptions:
    return Corruptions(SCHEMA, *weights_of(record), [])


def read_corruptions(folder: Path, record: Record) -> Corruptions | None:
    """What is on record of these weights; None where nothing is, or of weights that the run had
    before it was run again. UsageError names the file and what is wrong with it."""
    found = read_beside(Corruptions, folder / CORRUPTIONS)
    if found is None:
        return None
    return found if found.weights == weights_of(record) else None


def write_corruptions(folder: Path, found: Corruptions) -> None:
    write_json(folder / CORRUPTIONS, asdict(found))
