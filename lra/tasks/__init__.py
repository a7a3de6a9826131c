"""The tasks, by name: importing this registers those that are here."""

from lra.data.dataset import majority
from lra.tasks import image, listops, pathfinder, retrieval, text
from lra.tasks.base import SPLITS, Setup, Task, TaskMetadata, TaskSettings
from lra.tasks.registry import TASKS, get_task, names, register_task

__all__ = [
    "SPLITS",
    "TASKS",
    "Setup",
    "Task",
    "TaskMetadata",
    "TaskSettings",
    "get_task",
    "image",
    "listops",
    "majority",
    "names",
    "pathfinder",
    "register_task",
    "retrieval",
    "text",
]
