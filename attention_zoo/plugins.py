"""Importing other people's modules."""

import importlib
from collections.abc import Callable
from typing import Any

from attention_zoo.errors import UsageError, one_line


def import_plugin(module: str, load: Callable[[], Any] | None = None) -> None:
    """Imports a module, by `load` where that is given; one clear error where it cannot."""
    try:
        load() if load else importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's module does is the answer
        raise UsageError(
            f"plugin {module!r} does not import: {type(error).__name__}: {one_line(error)}"
        ) from error
