"""What several commands do."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from attention_zoo import UsageError
from lra.system.memory import available_memory

if TYPE_CHECKING:
    from attention_zoo import Support


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def table_of(rows: Iterable[dict[str, object]]) -> str:
    """Rows under their keys, as they are."""
    from tabulate import tabulate

    return tabulate(list(rows), headers="keys", tablefmt="github", disable_numparse=True)


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


def derivatives(support: "Support") -> str:
    if support.surrogate_gradient:
        return "surrogate"
    return "any order" if support.second_derivatives else "first"
