"""What a user can get wrong, each as an exception whose message is one line."""

import difflib
import reprlib
from collections.abc import Iterable

_QUOTED = reprlib.Repr()
_QUOTED.maxstring = 60


class UsageError(ValueError):
    """A user's mistake: the message says what was wrong and what to do."""


class UnsupportedError(UsageError):
    """A variant that cannot run on this device, dtype or machine, with its reasons."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist: the nearest one, and all that do."""
    known = sorted(known)
    alike = [one for one in known if one.casefold() == name.casefold()]
    near = alike or difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    choose = f"choose from {', '.join(known)}" if known else "there is none"
    return UsageError(f"unknown {kind} {quoted(name)}{hint} ({choose})")


def quoted(text: str) -> str:
    """What a user typed, in quotes; of a long text both ends."""
    return _QUOTED.repr(text)


def one_line(error: BaseException) -> str:
    """An exception's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__
