"""What a task is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lra.data.store import Split

Example = tuple[bytes, int]  # token ids, label


@dataclass(frozen=True)
class TaskMetadata:
    """What a table, a reader or a test needs to know of a task.

    length: the longest sequence (tokens). chance: accuracy of guessing uniformly. splits: sizes
    of the official data.
    """

    name: str
    version: int
    modality: str
    length: int
    classes: int
    chance: float
    vocabulary: tuple[str, ...]
    splits: dict[str, int]
    source: str
    licence: str
    citation: str


@dataclass(frozen=True)
class Task:
    """A task: its metadata and where its examples come from.

    official: `data_dir -> {split: file}`, the official files that a folder holds, else nothing.
    examples: `(settings, files, workers) -> {split: examples}`, deterministic in the settings and,
    where settings.source is official, the contents of the files.
    baselines: accuracy (0–1) on the test split of rules that read next to nothing, by name.
    """

    metadata: TaskMetadata
    official: Callable[[Path], dict[str, Path]]
    examples: Callable[[Any, dict[str, Path], int | None], dict[str, Sequence[Example]]]
    baselines: Callable[[dict[str, Split]], dict[str, float]]
