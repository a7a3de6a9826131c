"""Attentions behind one interface: each is a linear operator Ā on values.

The public names are those of `attention_zoo.public`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from attention_zoo.errors import UnsupportedError as UnsupportedError
from attention_zoo.errors import UsageError as UsageError
from attention_zoo.version import __version__ as __version__

if TYPE_CHECKING:
    from attention_zoo.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Any other name, imported when one is first asked for: a command line that is refused need not
    wait for torch."""
    public = importlib.import_module("attention_zoo.public")
    if name in globals():  # a module that this has imported
        return globals()[name]
    try:
        return getattr(public, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *importlib.import_module("attention_zoo.public").__all__})
