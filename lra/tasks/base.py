"""What a task is."""

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from attention_zoo.errors import UsageError
from lra.data.dataset import Dataset
from lra.settings import Count, Deviation, Fraction, ModelSettings, Stated, TrainingSettings
from lra.typed import frozen

SPLITS = ("train", "val", "test")


@frozen
class TaskMetadata:
    """What a table, a reader or a test needs to know of a task.

    title: its name in tables. order: its place in LRA's table; those of other tasks come last.
    length: the longest sequence (tokens). chance: accuracy of guessing uniformly. vocabulary:
    token ids are below it. padding: the id that fills batches up, None where sequences have one
    length and every id is a token. sequences: how many an example has. splits: sizes of the
    official data, or of those that are usual. layout: the official files as they lie in the
    archive, empty where there are none.
    """

    SECTION: ClassVar = "metadata"

    name: Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$")]
    title: str
    modality: str
    length: Count
    classes: Annotated[int, Field(ge=2, le=256)]
    chance: Annotated[float, Field(gt=0, lt=1)]
    vocabulary: Annotated[int, Field(ge=1, le=257)]
    padding: int | None
    splits: dict[str, Count]
    source: str
    citation: str
    version: Count = 1
    order: int = 100
    sequences: Literal[1, 2] = 1
    layout: str = ""
    licence: str = ""


@frozen
class TaskSettings:
    """What decides a task's data and how batches are made of them.

    A task's own class gives every field a default, or leaves that to its setups, and has `max_len`,
    the longest sequence. task: the name of the task, which tells settings with the same fields
    apart. source=auto takes the official files where the data folder has them. train, val, test:
    sizes of the splits, which official files must have.

    DECIDE: the settings that the data depend on, for each source. BATCHES: those that shape batches
    alone. FIXED: what no `--set` changes, and what does. VOCABULARY: token ids are below it.
    """

    SECTION: ClassVar = "task"
    DECIDE: ClassVar[Mapping[str, tuple[str, ...]]]
    BATCHES: ClassVar[tuple[str, ...]] = ()
    FIXED: ClassVar[Mapping[str, str]] = {
        "task": "--task chooses it",
        "source": "--source chooses it",
    }
    VOCABULARY: ClassVar[int]

    task: str
    source: str
    train: Count
    val: Count
    test: Count

    @property
    def deciding(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.DECIDE[self.source]}

    @property
    def effective(self) -> set[str]:
        """The settings that make a difference to this source."""
        return {"source", *self.deciding, *self.BATCHES}

    @property
    def training_size(self) -> int:
        """Examples of the training split, before any that preparing leaves out."""
        return self.train

    @property
    def masked(self) -> int | None:
        """The token id at which positions count as padding, besides what fills batches up."""
        return None


@frozen
class PixelSettings(TaskSettings):
    """black=padding: pixels of value 0 count as padding, as in LRA's lineage."""

    BATCHES: ClassVar = ("black",)
    VOCABULARY: ClassVar = 256

    black: Literal["token", "padding"] = "token"

    @property
    def masked(self) -> int | None:
        return 0 if self.black == "padding" else None


@frozen
class Setup:
    """A task under one protocol: what is not common to the protocol's tasks.

    deviations: beside those of all its tasks. stated: options of attentions, in the place of those
    that the protocol has for all tasks. comparable: what results may be compared with, in the place
    of the protocol's own words. attention_dropout: that the source had, for the attentions for
    which it had any.
    """

    task: TaskSettings
    model: ModelSettings
    training: TrainingSettings
    deviations: tuple[Deviation, ...] = ()
    stated: tuple[Stated, ...] = ()
    comparable: str = ""
    attention_dropout: Fraction = 0.1


@dataclass(frozen=True, kw_only=True)
class Task(Dataset):
    """A task: its metadata and where its examples come from, as Dataset says.

    protocols: its setup under each protocol that it has one for.
    """

    metadata: TaskMetadata
    settings: type[TaskSettings]
    protocols: Mapping[str, Setup]

    def faults(self) -> Iterable[str]:
        """What is wrong with it, for `register_task`."""
        name, names = self.metadata.name, {field.name for field in fields(self.settings)}
        if tuple(self.metadata.splits) != SPLITS:
            yield f"metadata.splits must be of {', '.join(SPLITS)}"
        for source, keys in self.settings.DECIDE.items():
            if unknown := {k for k in keys if k not in names and not hasattr(self.settings, k)}:
                yield f"settings.DECIDE[{source!r}] has no field {', '.join(sorted(unknown))}"
        given = {self.official is None, self.archive is None, self.root is None}
        if given != {"official" not in self.settings.DECIDE}:
            yield "official, archive and root go with 'official' in settings.DECIDE"
        if not self.protocols:
            yield "it needs a setup under one protocol at least"
        for protocol, setup in self.protocols.items():
            try:
                hash(setup.task)
            except TypeError as error:
                yield f"protocols[{protocol!r}].task: {error}; a tuple is hashable, a list is not"
            if (type(setup.task), setup.task.task) != (self.settings, name):
                yield (
                    f"protocols[{protocol!r}].task must be {self.settings.__name__} with "
                    f"task={name!r}"
                )


def later(module: str, function: str) -> Callable[..., Any]:
    """A function of a module that is imported when it is called: reading files and drawing need
    libraries that take long to import."""

    def call(*arguments: Any) -> Any:
        return getattr(importlib.import_module(module), function)(*arguments)

    return call


def require_count(found: int, settings: TaskSettings, files: Iterable[Path], *splits: str) -> None:
    """Raises UsageError where official files hold more or fewer examples than these splits need."""
    expected = sum(getattr(settings, split) for split in splits)
    if found != expected:
        names = " and ".join(f"task.{split}" for split in splits)
        raise UsageError(
            f"{os.path.commonpath(files)} holds {found:,} examples for {' and '.join(splits)}, "
            f"expected {expected:,}: bring what is missing, or set {names} to what there are"
        )
