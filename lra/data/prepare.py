"""From a task's settings to its data on disk."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lra.data.store import Split, Store, open_store, write_store
from lra.files import fingerprint
from lra.tasks import Task


def recipe_of(task: Task, settings: Any) -> dict[str, Any]:
    """What decides a task's data, and so its fingerprint."""
    return {
        "task": task.metadata.name,
        "version": task.metadata.version,
        "source": "generated",
        "settings": asdict(settings),
    }


def prepare(task: Task, settings: Any, data_dir: Path, workers: int | None = None) -> Store:
    """The verified store of a task's data at `data_dir/prepared/<fingerprint>`, made if missing.

    What stands there and does not verify raises UsageError; nothing is overwritten.
    """
    recipe = recipe_of(task, settings)
    path = data_dir / "prepared" / fingerprint(recipe)
    if not path.exists():
        examples = task.examples(settings, workers)
        splits = {name: Split.of(examples.pop(name)) for name in tuple(examples)}
        write_store(path, recipe, splits, task.baselines(splits))
    return open_store(path, recipe)
