"""What a user can get wrong, each as an exception whose message is one line."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A user's mistake: the message says what was wrong and what to do."""


class UnsupportedError(UsageError):
    """A variant that cannot run on this device, dtype or machine, with its reasons."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist: the nearest one, and all that do."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UsageError(f"unknown {kind} {name!r}{hint} (there are: {', '.join(known) or 'none'})")


def one_line(error: BaseException) -> str:
    """An exception's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__
