"""The tasks, by name."""

from attention_zoo.errors import unknown
from lra.tasks.base import SPLITS, Task, TaskMetadata, TaskSettings
from lra.tasks.image import IMAGE, ImageSettings
from lra.tasks.listops import LISTOPS, ListOpsSettings
from lra.tasks.pathfinder import PATHFINDERS, PathfinderSettings
from lra.tasks.retrieval import RETRIEVAL, RetrievalSettings
from lra.tasks.text import TEXT, TextSettings

TASKS = {task.metadata.name: task for task in (LISTOPS, TEXT, RETRIEVAL, IMAGE, *PATHFINDERS)}
# Told apart by their keys when a record is read: no two have the same.
AnySettings = (
    ListOpsSettings | TextSettings | RetrievalSettings | ImageSettings | PathfinderSettings
)


def get_task(name: str) -> Task:
    """The task of that name; UsageError names the nearest where there is none."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


__all__ = [
    "SPLITS",
    "TASKS",
    "AnySettings",
    "ImageSettings",
    "ListOpsSettings",
    "PathfinderSettings",
    "RetrievalSettings",
    "Task",
    "TaskMetadata",
    "TaskSettings",
    "TextSettings",
    "get_task",
]
