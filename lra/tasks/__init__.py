"""The tasks, by name."""

from attention_zoo.errors import unknown
from lra.tasks.base import Task, TaskMetadata
from lra.tasks.listops import LISTOPS

TASKS = {task.metadata.name: task for task in (LISTOPS,)}


def get_task(name: str) -> Task:
    """The task of that name; UsageError names the nearest where there is none."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


__all__ = ["TASKS", "Task", "TaskMetadata", "get_task"]
