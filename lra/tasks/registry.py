"""The tasks, by name: those here and other people's."""

import importlib.metadata
from functools import cache

from attention_zoo.errors import UsageError, unknown
from attention_zoo.plugins import import_plugin
from lra.tasks.base import Task

ENTRY_POINTS = "lra_tasks"
TASKS: dict[str, Task] = {}


def register_task(task: Task) -> Task:
    """Makes a task available by its name wherever one is asked for, and returns it.

    Call it in a module that `--plugin` names, or that a package offers under the entry-point group
    `lra_tasks`. Raises UsageError for a name that is taken and for a task that is not complete.
    """
    if not isinstance(task, Task):
        raise UsageError(f"register_task takes a Task, not {type(task).__name__}")
    name = task.metadata.name
    if name in TASKS:
        owner = TASKS[name].settings.__module__
        raise UsageError(f"task {name!r} is already registered by {owner}; choose another name")
    if faults := list(task.faults()):
        raise UsageError(f"task {name!r}: {'; '.join(faults)}")
    TASKS[name] = task
    return task


def get_task(name: str) -> Task:
    """The task of that name; UsageError names the nearest where there is none.

    >>> get_task("listops").metadata.classes
    10
    """
    if name not in TASKS:
        _load_entry_points()
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def names() -> list[str]:
    """Every registered task, in the order of LRA's table; others follow as they were registered.

    >>> names()[:3]
    ['listops', 'text', 'retrieval']
    """
    _load_entry_points()
    return sorted(TASKS, key=lambda name: TASKS[name].metadata.order)


@cache
def _load_entry_points() -> None:
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        import_plugin(entry_point.value, entry_point.load)
