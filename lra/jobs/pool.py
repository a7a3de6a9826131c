"""Work on many examples at once, in processes that end with this one."""

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lra.failures import Killed, OutOfMemory, RunFailure, describe
from lra.jobs.local import launched, ready
from lra.jobs.work import End, Port, Process, Told, Work

FEW = 8  # pieces of work, which are done before processes have started
REFUSED = "a process that prepared data was killed, probably out of memory; "


@contextmanager
def mapper(workers: int | None, pieces: int) -> Iterator[Callable[..., Iterable]]:
    """`map` over worker processes, in order; in this process for one worker or few pieces.

    workers: None for one a core.
    """
    if workers == 1 or (workers is None and pieces <= FEW):
        yield map
        return
    count = min(workers or os.cpu_count() or 1, pieces)
    with ExitStack() as stack:
        work = Work("lra.jobs.pool:answer", fresh=True)
        idle: list[Process] = [stack.enter_context(launched(work)) for _ in range(count)]

        def mapped(function: Callable, items: Iterable) -> Iterator:
            if len(idle) < count:
                raise RuntimeError("the map before was not read to its end")
            numbered = enumerate(items)
            at: dict[Process, int] = {}
            done: dict[int, Any] = {}
            wanted = 0
            while True:
                while idle and (item := next(numbered, None)) is not None:
                    process = idle.pop()
                    at[process] = item[0]
                    process.send((function, item[1]))
                if wanted in done:
                    yield done.pop(wanted)
                    wanted += 1
                    continue
                if not at:
                    return
                for process in ready(list(at), None):
                    event = process.event()
                    if not isinstance(event, Told):
                        raise _failure(event)
                    if event.name == "raised":
                        raise event.content
                    done[at.pop(process)] = event.content
                    idle.append(process)

        yield mapped


def answer(_: None, port: Port) -> None:
    """Applies each function that it is given, to what it is given."""
    while True:
        function, item = port.receive()
        try:
            port.tell("made", function(item))
        except Exception as error:
            port.tell("raised", _sendable(error))


def _sendable(error: Exception) -> Exception:
    """Itself, or its words where it would not outlive the way."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunFailure(describe(error)[1])
    return error


def _failure(end: End) -> RunFailure:
    if end.kind in (Killed.kind, OutOfMemory.kind):
        return Killed(f"{REFUSED}`prepare --workers 1` needs least")
    return RunFailure(f"a process that prepared data: {end.reason or 'it ended'}")
