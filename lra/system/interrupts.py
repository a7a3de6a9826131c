"""SIGINT and SIGTERM as a request to stop, obeyed at once or where the work says that it can."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """A signal asked this process to end. then: what becomes of what it was doing."""

    def __init__(self, number: int, then: str) -> None:
        super().__init__(number, then)
        self.number, self.then = number, then


_signals: list[int] = []
_deferred = False
_then = ""


@contextmanager
def obeyed(then: str = "nothing is left half done") -> Iterator[None]:
    """Within, SIGINT and SIGTERM raise Stopped, outside `deferred()` at once, even where a shell
    started this process in the background, with SIGINT ignored."""
    global _then
    outer, _then = _then, then
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    _signals.clear()
    for number in before:
        signal.signal(number, _handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _then = outer
        _signals.clear()


def _handle(number: int, frame: FrameType | None) -> None:
    _signals.append(number)
    if not _deferred:
        raise Stopped(number, _then)


def stopped() -> Stopped:
    """What to raise where a stop is requested, of this process or of one that trains with it."""
    return Stopped(_signals[0] if _signals else signal.SIGTERM, _then)


def requested() -> bool:
    """Whether to stop; asked by who works within `deferred()`."""
    return bool(_signals)


def insisted() -> bool:
    """Whether a second signal came: not to wait for anything."""
    return len(_signals) > 1


@contextmanager
def deferred() -> Iterator[None]:
    """Within, a signal only makes `requested()` true."""
    global _deferred
    _deferred = True
    try:
        yield
    finally:
        _deferred = False
    if _signals:
        raise stopped()
