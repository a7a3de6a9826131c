"""Runs the waiting jobs, so many at a time, until all have ended or a signal asks for an end."""

import os
import time
from dataclasses import dataclass, replace

import torch

from attention_zoo import UsageError
from lra.grid.jobs import GRACE_AT_LIMIT, Run
from lra.grid.overview import Overview
from lra.jobs import local
from lra.jobs.work import TIME_LIMIT, Launch, Told
from lra.run.folder import is_recorded, recorded
from lra.run.journal import Measured
from lra.system import interrupts
from lra.system.locks import LOCK, is_locked

POLL = 0.2  # seconds


@dataclass(frozen=True)
class Limits:
    """jobs: runs at a time. seconds: that one run's process may take. devices: GPUs of a run."""

    jobs: int
    seconds: float | None
    devices: int


class Pool:
    """Starts a run where a slot is free and no other process has its directory."""

    def __init__(
        self, runs: list[Run], limits: Limits, overview: Overview, launch: Launch = local.launch
    ) -> None:
        self.runs, self.limits, self.overview, self.launch = runs, limits, overview, launch
        self.measured: dict[tuple[str, str], Measured] = {}  # by variant: its seeds share it
        cuda = runs[0].job.config.accelerator == "cuda"
        self.gpus = visible_gpus() if cuda else []

    def run(self) -> None:
        """Ends when every run has; raises Stopped, all processes ended, where a signal came."""
        local.imported()
        with interrupts.deferred(), self.overview:
            try:
                if self.limits.jobs > 1 and not self._own_gpus():
                    # Time and memory are measured before anything else runs beside them.
                    self._until_ended(1, only_measure=True)
                self._until_ended(self.limits.jobs, only_measure=False)
            finally:
                for run in self.runs:
                    if run.process is not None:
                        run.process.close()

    def _own_gpus(self) -> bool:
        return len(self.gpus) >= self.limits.jobs * self.limits.devices

    def _until_ended(self, jobs: int, only_measure: bool) -> None:
        waiting = [run for run in self.runs if run.state == "waiting"]
        running: list[Run] = []
        while running or (waiting and not interrupts.requested()):
            while waiting and len(running) < jobs and not interrupts.requested():
                able = [run for run in waiting if not self._is_measured(run, running)]
                run = next((run for run in able if not self._busy(run)), None)
                if not able:
                    break
                if run is None:
                    folder = waiting[0].job.directory
                    self.overview.say(f"waiting for another process, which has {folder}")
                    break
                waiting.remove(run)
                if self._finished_elsewhere(run):
                    continue
                measured = self.measured.get(run.variant)
                if only_measure and (measured or not run.job.measure):
                    continue
                run.measures = run.job.measure and measured is None
                beside = self._beside(run) if run.measures else ()
                run.job = replace(
                    run.job, measured=measured, beside=beside, only_measure=only_measure
                )
                slot = min(set(range(jobs)) - {other.slot for other in running})
                try:
                    run.start(self.launch, slot, self._threads(), self._environment(slot))
                except OSError as error:
                    run.state, run.reason = "failed", f"its process did not start: {error}"
                    self.overview.ended(run)
                else:
                    running.append(run)
            self._listen(running, only_measure)

    def _is_measured(self, run: Run, running: list[Run]) -> bool:
        """Whether another run is measuring now what this one may share."""
        return any(other.measures and other.family == run.family for other in running)

    def _beside(self, run: Run) -> tuple[str, ...]:
        """The other attentions of its family that are to be measured, too."""
        names = dict.fromkeys(
            other.variant[1]
            for other in self.runs
            if other.state == "waiting"
            and other.job.measure
            and other.family == run.family
            and other.variant not in (run.variant, *self.measured)
            and (other.job.rerun or not is_recorded(other.job.directory))
        )
        return tuple(names)

    def _busy(self, run: Run) -> bool:
        try:
            return is_locked(run.job.directory / LOCK)
        except OSError:
            return False  # starting it will say why not

    def _finished_elsewhere(self, run: Run) -> bool:
        try:
            record = recorded(run.job.config, run.job.place.results)
        except UsageError as error:
            run.state, run.reason = "failed", str(error)
        else:
            if record is None or run.job.rerun:
                return False
            run.state = "on record"
            run.reason = f"{run.job.directory} (--rerun runs it again)"
        self.overview.ended(run)
        return True

    def _environment(self, slot: int) -> dict[str, str]:
        """Its own GPUs where there are enough."""
        if not self.gpus:
            return {}
        first = slot * self.limits.devices % len(self.gpus)
        mine = (self.gpus * 2)[first : first + self.limits.devices]
        return {"CUDA_VISIBLE_DEVICES": ",".join(mine)}

    def _threads(self) -> int:
        """A share of the cores beside others on the CPU, unless a user says otherwise."""
        shares = 1 if self.gpus or "OMP_NUM_THREADS" in os.environ else self.limits.jobs
        return max(1, torch.get_num_threads() // shares)

    def _listen(self, running: list[Run], only_measure: bool) -> None:
        """Waits for what the processes tell, and sees to it that they obey."""
        limit = self.limits.seconds
        for run in running:
            if interrupts.requested():
                run.stop(*([0.0] if interrupts.insisted() else []))
            elif limit is not None and run.elapsed() > limit:
                run.stop(GRACE_AT_LIMIT, TIME_LIMIT)
        if not running:
            time.sleep(POLL)
        by_process = {run.process: run for run in running}
        for process in local.ready(list(by_process), POLL):
            run, event = by_process[process], process.event()
            if isinstance(event, Told):
                self._told(run, event)
                continue
            running.remove(run)
            run.end(event, limit)
            if only_measure and run.state in ("done", "stopped"):
                run.state, run.seconds = "waiting", 0.0
            else:
                self.overview.ended(run)
        self.overview.refresh()

    def _told(self, run: Run, told: Told) -> None:
        if told.name == "say":
            self.overview.say(told.content, run)
        elif told.name == "report":
            run.report = told.content
            self.overview.progress(run)
        elif told.name == "measured":
            run.measures = False
            for attention, measured in told.content.items():
                self.measured[run.family, attention] = measured


def visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(i) for i in range(torch.cuda.device_count())]
