"""One run of a grid: its job, its state, its process while it has one."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Literal

from attention_zoo import Spec
from lra.failures import Killed
from lra.jobs.work import STOPPED, TIME_LIMIT, End, Launch, Process
from lra.results.layout import LOG
from lra.run.describe import fail
from lra.run.job import Job
from lra.training.report import Report

# Seconds that a run has to reach its next checkpoint. Whoever stops a grid waits; a run that is
# killed instead goes on from a checkpoint of at most 30 seconds before.
GRACE, GRACE_AT_LIMIT = 1.0, 60.0
State = Literal["waiting", "running", "done", "on record", "failed", "stopped"]


class Run:
    """seconds: that its process took, when it has ended. measures: whether what it measures is
    still to be told."""

    def __init__(self, job: Job, title: str) -> None:
        self.job, self.title = job, title
        self.state: State = "waiting"
        self.report: Report | None = None
        self.reason = ""
        self.slot = 0
        self.seconds = 0.0
        self.process: Process | None = None
        self.measures = False

    @cached_property
    def family(self) -> str:
        """The same for runs that differ in their filters and seeds, and in how many examples they
        train on, alone: a step costs them the same."""
        config = self.job.config
        bare = Spec(config.attention.attention)
        return replace(config, seed=0, train_fraction=1.0, attention=bare).identity

    @property
    def variant(self) -> tuple[str, str]:
        """The same for runs that differ in their seed alone."""
        return self.family, str(self.job.config.attention)

    def start(self, launch: Launch, slot: int, threads: int | None, env: Mapping[str, str]) -> None:
        """Raises OSError."""
        self.job.directory.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        self.process = launch(self.job.work(threads, env))
        self.state, self.slot = "running", slot

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def stop(self, grace: float = GRACE, kind: str = STOPPED) -> None:
        """Asks it to leave a checkpoint and end."""
        self.process.stop(grace, kind)

    def end(self, end: End, time_limit: float | None) -> None:
        """Takes its end into account; a failure goes on record."""
        self.process.close()
        self.seconds, self.process = self.elapsed(), None
        if end.kind is None:
            self.state = "done"
        elif end.kind == STOPPED:
            self.state = "stopped"
        elif end.kind == TIME_LIMIT:
            self.fail(end.kind, f"stopped after {time_limit:,.0f} s{self._progress()}")
        elif end.kind == Killed.kind:
            self.fail(end.kind, end.reason + self._progress())
        else:
            self.fail(end.kind, end.reason)

    def _progress(self) -> str:
        return f" at step {self.report.step:,} of {self.report.steps:,}" if self.report else ""

    def fail(self, kind: str, reason: str) -> None:
        self.state, self.reason = "failed", f"{kind}: {reason}"
        try:
            fail(self.job.config, self.job.place.results, kind, reason)
        except (OSError, RuntimeError) as error:  # RuntimeError: of a GPU that is lost
            self.reason += f" (and no record of it could be written: {error})"

    @property
    def log(self) -> str:
        return os.fspath(self.job.directory / LOG)
