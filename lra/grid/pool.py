"""Runs the waiting jobs, so many at a time, until all have ended or a signal asks for an end."""

import os
import queue
from dataclasses import dataclass

import torch

from attention_zoo import UsageError
from lra.grid.jobs import Event, Run
from lra.grid.overview import Overview
from lra.run import recorded
from lra.system import interrupts
from lra.system.locks import LOCK, is_locked
from lra.training.progress import Report

POLL = 0.5  # seconds


@dataclass(frozen=True)
class Limits:
    """jobs: runs at a time. seconds: that one run's process may take. devices: GPUs of a run."""

    jobs: int
    seconds: float | None
    devices: int


class Pool:
    """Starts a run where a slot is free and no other process has its directory."""

    def __init__(self, runs: list[Run], limits: Limits, overview: Overview) -> None:
        self.runs, self.limits, self.overview = runs, limits, overview
        self.events: queue.Queue[Event] = queue.Queue()
        cuda = runs[0].job.config.accelerator == "cuda"
        self.gpus = visible_gpus() if cuda else []

    def run(self) -> None:
        """Ends when every run has; raises Stopped, all workers ended, where a signal came."""
        with interrupts.deferred(), self.overview:
            if self.limits.jobs > 1 and not self._own_gpus():
                # Time and memory are measured before anything else runs beside them.
                self._until_ended(1, only_measure=True)
            self._until_ended(self.limits.jobs, only_measure=False)

    def _own_gpus(self) -> bool:
        return len(self.gpus) >= self.limits.jobs * self.limits.devices

    def _until_ended(self, jobs: int, only_measure: bool) -> None:
        waiting = [run for run in self.runs if run.state == "waiting"]
        running: list[Run] = []
        while running or (waiting and not interrupts.requested()):
            while waiting and len(running) < jobs and not interrupts.requested():
                run = next((run for run in waiting if not self._busy(run)), None)
                if run is None:
                    folder = waiting[0].job.directory
                    self.overview.say(f"waiting for another process, which has {folder}")
                    break
                waiting.remove(run)
                if self._finished_elsewhere(run):
                    continue
                slot = min(set(range(jobs)) - {other.slot for other in running})
                try:
                    run.start(self.events, slot, self._environment(slot), only_measure)
                except OSError as error:
                    run.state, run.reason = "failed", f"its process did not start: {error}"
                    self.overview.ended(run)
                else:
                    running.append(run)
            if interrupts.requested():
                for run in running:
                    run.stop()
            self._next_event(running, only_measure)

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
        """Its own GPUs where there are enough; a share of the cores beside others on the CPU."""
        if self.gpus:
            first = slot * self.limits.devices % len(self.gpus)
            mine = (self.gpus * 2)[first : first + self.limits.devices]
            return {"CUDA_VISIBLE_DEVICES": ",".join(mine)}
        if self.limits.jobs > 1 and "OMP_NUM_THREADS" not in os.environ:
            return {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // self.limits.jobs))}
        return {}

    def _next_event(self, running: list[Run], only_measure: bool) -> None:
        for run in running:
            run.check(self.limits.seconds)
        try:
            event = self.events.get(timeout=POLL)
        except queue.Empty:
            self.overview.refresh()
            return
        run = event.run
        if event.kind == "say":
            self.overview.say(event.content, run)
        elif event.kind == "report":
            run.report = Report(**event.content)
            self.overview.progress(run)
        elif event.kind == "failed":
            run.reason = f"{event.content['kind']}: {event.content['reason']}"
        else:
            running.remove(run)
            run.end(event.content, self.limits.seconds)
            if only_measure and run.state in ("done", "stopped"):
                run.state, run.seconds = "waiting", 0.0
            else:
                self.overview.ended(run)


def visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(i) for i in range(torch.cuda.device_count())]
