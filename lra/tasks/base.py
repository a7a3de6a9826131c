"""What a task is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from attention_zoo import UsageError
from lra.data.archives import Archive
from lra.data.store import Split
from lra.data.writer import Example, Writer

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class TaskMetadata:
    """What a table, a reader or a test needs to know of a task.

    length: the longest sequence (tokens). chance: accuracy of guessing uniformly. vocabulary:
    token ids are below it. padding: the id that fills batches up, None where sequences have one
    length and every id is a token. sequences: how many an example has. splits: sizes of the
    official data. layout: the official files and where they stand in the data folder.
    """

    name: str
    version: int
    modality: str
    length: int
    classes: int
    chance: float
    vocabulary: int
    padding: int | None
    sequences: int
    splits: dict[str, int]
    source: str
    layout: str
    licence: str
    citation: str


@dataclass(frozen=True)
class TaskSettings:
    """What decides a task's data and how batches are made of them.

    DECIDE: the settings that the data depend on, for each source. BATCHES: those that shape batches
    alone. FIXED: what no `--set` changes, and what does. VOCABULARY: token ids are below it.
    source=auto takes the official files where the data folder has them.
    """

    DECIDE: ClassVar[Mapping[str, tuple[str, ...]]]
    BATCHES: ClassVar[tuple[str, ...]] = ()
    FIXED: ClassVar[Mapping[str, str]] = {"source": "--source chooses it"}
    VOCABULARY: ClassVar[int]

    @property
    def deciding(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.DECIDE[self.source]}

    @property
    def effective(self) -> set[str]:
        """The settings that make a difference to this source."""
        return {"source", *self.deciding, *self.BATCHES}

    @property
    def masked(self) -> int | None:
        """The token id at which positions count as padding, besides what fills batches up."""
        return None


@dataclass(frozen=True)
class PixelSettings(TaskSettings):
    """black=padding: pixels of value 0 count as padding, as in LRA's lineage."""

    BATCHES: ClassVar = ("black",)
    VOCABULARY: ClassVar = 256

    black: Literal["token", "padding"] = "token"

    @property
    def masked(self) -> int | None:
        return 0 if self.black == "padding" else None


def require_sizes(settings: TaskSettings) -> None:
    """Raises UsageError for a split without examples."""
    if min(settings.train, settings.val, settings.test) < 1:
        raise UsageError("task.train, task.val and task.test must be 1 or more")


def require_count(found: int, settings: TaskSettings, *splits: str) -> None:
    """Raises UsageError where official files hold more or fewer examples than these splits need."""
    expected = sum(getattr(settings, split) for split in splits)
    if found != expected:
        names = " and ".join(f"task.{split}" for split in splits)
        raise UsageError(
            f"the official files hold {found:,} examples for {' and '.join(splits)}, expected "
            f"{expected:,}: bring what is missing, or set {names} to what they hold"
        )


@dataclass(frozen=True)
class Task:
    """A task: its metadata and where its examples come from.

    official: `(data_dir, settings) -> {name: file or folder}`, the official files that a folder
    holds, else nothing. archive, root: the file in which they are distributed, and the folder in
    it, and then in the data folder, that holds them. examples: `(settings, files, writer) ->
    {split: examples}`, deterministic in the settings and, where settings.source is official, the
    contents of the files. baselines: accuracy (0–1) on the test split of rules that read next to
    nothing, by name. generates: whether `auto` draws the data where there are no official files.
    """

    metadata: TaskMetadata
    settings: type[TaskSettings]
    official: Callable[[Path, Any], dict[str, Path]]
    archive: Archive
    root: Callable[[Any], str]
    examples: Callable[[Any, dict[str, Path], Writer], dict[str, Sequence[Example]]]
    baselines: Callable[[dict[str, Split]], dict[str, float]]
    generates: bool


def majority(splits: dict[str, Split]) -> dict[str, float]:
    """Test accuracy of the most frequent training label."""
    answer = np.bincount(splits["train"].labels).argmax()
    return {"majority class": float((splits["test"].labels == answer).mean())}
