"""A protocol for one task: model, training and data under which variants are compared."""

import json
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from attention_zoo.errors import UsageError, unknown
from lra.settings import Deviation, ModelSettings, Stated, TrainingSettings
from lra.system.files import fingerprint
from lra.tasks import TaskSettings, get_task
from lra.typed import frozen, load


def _by_task(value: Any) -> TaskSettings:
    """A task's settings, from JSON by the name of the task that they begin with."""
    if isinstance(value, TaskSettings):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("task"), str):
        raise UsageError("task.task, the name of the task, is missing")
    return load(get_task(value["task"]).settings, json.dumps(value), "task")


@frozen
class Protocol:
    """comparable: what its results may be compared with. stated: options with which its source ran
    attentions, which their bare names mean. file, base: the TOML file that it was read from, and
    the protocol that the file starts from; empty for the others."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    source: str
    comparable: str
    deviations: tuple[Deviation, ...]
    task: Annotated[TaskSettings, PlainValidator(_by_task)]
    model: ModelSettings
    training: TrainingSettings
    stated: tuple[Stated, ...] = ()
    base: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        known = get_task(self.task.task).protocols
        if (name := self.base if self.file else self.name) not in known:
            raise unknown("protocol", name, known)

    @property
    def label(self) -> str:
        """Its name, and what tells one from a file from others of that name."""
        return f"{self.name}-{fingerprint(self.settings)[:8]}" if self.file else self.name

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a result: everything but the prose."""
        sections = {name: asdict(getattr(self, name)) for name in ("task", "model", "training")}
        return {"name": self.name, **sections}
