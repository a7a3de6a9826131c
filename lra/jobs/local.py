"""Jobs in processes of this machine, forked from one that has imported what most of them need."""

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import Any, TypeVar, cast

from lra.failures import Killed, RunFailure
from lra.jobs.child import serve
from lra.jobs.work import STOPPED, End, Launch, Process, Told, Work

# What would make Lightning take a process for one of several that another launcher started.
RANKS = ("LOCAL_RANK", "RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
GONE = 10.0  # seconds in which a process ends that has closed its pipe
FORKS = sys.platform == "linux"  # elsewhere system libraries do not outlive one

P = TypeVar("P", bound=Process)


def import_ahead(*modules: str) -> None:
    """Starts the process that others are forked from, which imports these modules meanwhile."""
    if FORKS:
        forkserver.set_forkserver_preload(["lra.jobs.server", *modules])
        _start_server()


def _start_server() -> None:
    """Unless it runs. It finds modules where this process does: it is told by its environment,
    since Python's own way is lost before Python 3.13."""
    path = os.pathsep.join(path or os.getcwd() for path in sys.path)
    before = dict(os.environ)
    os.environ.update(PYTHONPATH=path, PYTHONSAFEPATH="1")
    try:
        forkserver.ensure_running()
    finally:
        for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]


def imported() -> None:
    """Waits until jobs start at once; a signal ends the waiting."""
    if FORKS:
        _start_server()
        process = multiprocessing.get_context("forkserver").Process()
        process.start()
        process.join()


def _context(work: Work) -> Any:
    """A job's own job is a fork of it, since it does not reach the server: torch has been imported
    there, and has not computed anything."""
    if not FORKS or work.fresh:
        return multiprocessing.get_context("spawn")
    if multiprocessing.parent_process() is not None:
        return multiprocessing.get_context("fork")
    _start_server()
    return multiprocessing.get_context("forkserver")


class Local:
    """A process of this machine; see lra.jobs.work.Process."""

    def __init__(self, work: Work) -> None:
        context = _context(work)
        self._folder = None
        if work.log is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lra-job-")
            self._log = Path(self._folder.name, "log.txt")
        else:
            self._log = work.log
        self._log.touch()  # here, where a folder that cannot be written to is an error
        env = {key: value for key, value in os.environ.items() if key not in RANKS} | dict(work.env)
        self._channel, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._log, os.getcwd(), env))
        self._asked: str | None = None
        self._deadline = math.inf
        self._process.start()
        theirs.close()
        self.send(work)

    def fileno(self) -> int:
        return self._channel.fileno()

    def send(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._channel.send(message)

    def event(self) -> Told | End:
        try:
            event: Told | End = self._channel.recv()
        except (EOFError, OSError):
            event = self._death()
        if isinstance(event, End) and self._asked and event.kind in (STOPPED, Killed.kind):
            return End(self._asked, event.reason)
        if isinstance(event, End) and event.kind == STOPPED:
            return End(Killed.kind, event.reason)
        return event

    def _death(self) -> End:
        self._process.join(GONE)
        status = self._process.exitcode
        if status is None:
            what = "its process gave up answering, and did not end"
        elif status < 0:
            return End(Killed.kind, death(status))
        else:
            what = f"its process ended with {death(status)}"
        said = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return End(RunFailure.kind, what + (f": {said[-1]}" if said else ""))

    def stop(self, grace: float, kind: str = STOPPED) -> None:
        if self._asked is None:
            self._asked = kind
            self._process.terminate()
        self._deadline = min(self._deadline, time.monotonic() + grace)

    def kill_if_late(self) -> None:
        if time.monotonic() > self._deadline:
            self._kill()

    def _kill(self) -> None:
        """With all that it started itself, which is in its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def close(self) -> None:
        self._kill()
        self._process.join()
        self._channel.close()
        if self._folder is not None:
            self._folder.cleanup()


launch: Launch = Local


@contextmanager
def launched(work: Work, launch: Launch = launch) -> Iterator[Process]:
    """A job that has ended, one way or another, on leaving."""
    process = launch(work)
    try:
        yield process
    finally:
        process.close()


def ready(processes: Sequence[P], seconds: float | None) -> list[P]:
    """Those of which an event is there, waiting for one up to `seconds` (None: for ever); one that
    was stopped and is late is killed."""
    for process in processes:
        process.kill_if_late()
    found: list[Any] = connection.wait(cast(Any, processes), seconds)
    return found


def death(returncode: int) -> str:
    """How a process ended that said nothing."""
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"killed by {name}" + (", probably out of memory" if name == "SIGKILL" else "")
