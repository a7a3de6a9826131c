"""What several commands do."""

import os
import sys

from attention_zoo import UsageError
from attention_zoo.registry import load_plugin
from lra.system.memory import available_memory


def import_plugins(modules: list[str]) -> None:
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        load_plugin(module)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def memory_of_one(
    accelerator: str, jobs: int = 1, devices: int = 1, asked: int | None = None
) -> int | None:
    """Bytes of main memory that each process may take; None where a GPU is used."""
    if accelerator != "cpu":
        if asked:
            raise UsageError("--memory-limit is for the CPU; a GPU's memory is its limit")
        return None
    available = available_memory()
    if asked is None and available is not None:
        asked = available // jobs
    return asked and asked // devices
