"""One worker process, as the grid sees it."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

from lra.grid.worker import DONE, FAILED, STOPPED, Job
from lra.run import fail
from lra.system import children, interrupts
from lra.training.progress import Report

LOG = "log.txt"
GRACE = 60.0  # seconds that a worker has to reach its next checkpoint when it is asked to stop
State = Literal["waiting", "running", "done", "on record", "failed", "stopped"]


@dataclass(frozen=True)
class Event:
    """What a worker said, or `ended` with its exit status."""

    run: "Run"
    kind: Literal["say", "report", "failed", "ended"]
    content: Any


class Run:
    """A run of the grid: its job, its state, its process while it has one."""

    def __init__(self, job: Job, title: str) -> None:
        self.job, self.title = job, title
        self.state: State = "waiting"
        self.report: Report | None = None
        self.reason = ""
        self.slot = 0
        self.seconds = 0.0  # that its process took, when it has ended
        self.process: subprocess.Popen | None = None
        self._timed_out = False
        self._told = False

    def start(
        self, events: "queue.Queue[Event]", slot: int, env: dict[str, str], only_measure: bool
    ) -> None:
        self.job.directory.mkdir(parents=True, exist_ok=True)
        self.state, self.slot, self._began = "running", slot, time.monotonic()
        job = replace(self.job, only_measure=only_measure)
        with open(self.job.directory / LOG, "ab") as log:
            self.process = children.start(
                "lra.grid.worker",
                job.as_text(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=env,
            )
        threading.Thread(target=self._listen, args=(self.process, events), daemon=True).start()

    def _listen(self, process: subprocess.Popen, events: "queue.Queue[Event]") -> None:
        for line in process.stdout:
            with contextlib.suppress(ValueError):  # a line that a kill cut off
                ((kind, content),) = json.loads(line).items()
                events.put(Event(self, kind, content))
        events.put(Event(self, "ended", process.wait()))

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def stop(self, timed_out: bool = False) -> None:
        """Asks the worker to leave a checkpoint and end; once."""
        if not self._told:
            self._told, self._timed_out = True, timed_out
            self._deadline = time.monotonic() + GRACE
            self.process.send_signal(signal.SIGTERM)

    def check(self, time_limit: float | None) -> None:
        """Stops a worker that has had its time, and kills one that does not stop."""
        if (self._told and time.monotonic() > self._deadline) or interrupts.insisted():
            children.kill_all(self.process)
        elif time_limit is not None and self.elapsed() > time_limit:
            self.stop(timed_out=True)

    def end(self, status: int, time_limit: float | None) -> None:
        """Takes the worker's exit status into account; a run that failed without a word gets its
        record here."""
        children.kill_all(self.process)
        self.seconds, self.process = self.elapsed(), None
        told, self._told = self._told, False
        if status == DONE:
            self.state = "done"
        elif status == FAILED and self.reason:
            self.state = "failed"
        elif self._timed_out:
            self._fail("time limit", f"stopped after {time_limit:,.0f} s{self._progress()}")
        elif told and status in (STOPPED, -signal.SIGTERM, -signal.SIGKILL):
            self.state = "stopped"
        elif status == STOPPED:
            self._fail("killed", f"a signal from elsewhere stopped it{self._progress()}")
        elif status < 0:
            self._fail("killed", children.death(status) + self._progress())
        else:
            self._fail("error", f"exit status {status}, see {self.log}")

    def _progress(self) -> str:
        return f" at step {self.report.step:,} of {self.report.steps:,}" if self.report else ""

    def _fail(self, kind: str, reason: str) -> None:
        self.state, self.reason = "failed", f"{kind}: {reason}"
        try:
            fail(self.job.config, self.job.place.results, kind, reason)
        except OSError as error:
            self.reason += f" (and no record of it could be written: {error})"

    @property
    def log(self) -> str:
        return os.fspath(self.job.directory / LOG)
