"""What is asked of another process, and what comes back; nothing of how one is started."""

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

# Kinds of an end that no exception names; the others are those of lra.failures.
STOPPED, TIME_LIMIT = "stopped", "time limit"


@dataclass(frozen=True)
class Work:
    """job: "module:function". log: the file that gets what it prints, None for one that is kept
    as long as the process. memory: bytes of main memory that it may take, None for any. threads:
    of torch, None for torch's own number. env: variables besides this process's. fresh: in an
    interpreter of its own, rather than forked from one that has imported most modules; for CUDA,
    which outlives no fork, and for what needs few modules."""

    job: str
    request: Any = None
    log: Path | None = None
    memory: int | None = None
    threads: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True)
class Told:
    """What a job told while it was at work."""

    name: str
    content: Any = None


@dataclass(frozen=True)
class End:
    """kind: None where there is a result, else of the failure."""

    kind: str | None = None
    reason: str = ""
    result: Any = None


class Process(Protocol):
    """A job under way. `fileno` is readable, for select, when `event` has something to give."""

    def fileno(self) -> int: ...

    def event(self) -> Told | End:
        """Waits for the next thing that it tells, or its end."""

    def send(self, message: Any) -> None:
        """What its port receives next. Of a process that is gone, the next event tells."""

    def stop(self, grace: float, kind: str = STOPPED) -> None:
        """Asks it to end, once; it is killed if it has not after `grace` seconds, and if that was
        its end, the end is of this kind."""

    def kill_if_late(self) -> None:
        """What `stop` promised; asked by who waits."""

    def close(self) -> None:
        """Kills what is left of it, and of all that it started itself."""


Launch = Callable[[Work], Process]


class Port:
    """A job's end of the conversation."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel

    def tell(self, name: str, content: Any = None) -> None:
        self._channel.send(Told(name, content))

    def receive(self) -> Any:
        """Waits for the next message."""
        try:
            return self._channel.recv()
        except EOFError:
            os._exit(1)  # nobody talks to it any more

    def end(self, end: End) -> None:
        """Tells an end in place of the job's own; the process must end then."""
        with contextlib.suppress(OSError):  # nobody listens any more
            self._channel.send(end)
