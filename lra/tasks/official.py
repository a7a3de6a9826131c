"""Finding official files, wherever in the data folder they may stand."""

from collections.abc import Iterable
from pathlib import Path

from attention_zoo import UsageError


def all_or_none(sets: Iterable[dict[str, Path]], what: str) -> dict[str, Path]:
    """The first of these sets of files or folders that is there, nothing where there is none.

    Raises UsageError where some of a set are there and others are not.
    """
    for paths in sets:
        missing = [path for path in paths.values() if not path.exists()]
        if not missing:
            return paths
        if len(missing) < len(paths):
            raise UsageError(f"{missing[0]} is missing beside the other official {what}")
    return {}
