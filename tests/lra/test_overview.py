"""What a grid is made of and what is seen of it, without a process."""

import io
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from lra.cli.run import parser
from lra.config import Launch, Place
from lra.grid.jobs import Run
from lra.grid.overview import Overview
from lra.grid.plan import plan, titles
from lra.grid.pool import Limits, Pool
from lra.jobs import local
from lra.jobs.work import End
from lra.jobs.work import Told as work_told
from lra.protocols import expand
from lra.run.job import Job
from lra.training.report import Report

from .tiny import config


def test_expand_and_titles():
    assert expand([]) == [[]]
    assert expand(["a.b=1,2", "c.d=3"]) == [["a.b=1", "c.d=3"], ["a.b=2", "c.d=3"]]
    words = "--task listops --attn linear linear --seed 0 1 0 --protocol quick --data-dir nowhere"
    words += " --set training.steps=100,200 model.dropout=0"
    configs = plan(parser().parse_args(words.split()), print)
    assert titles(configs) == [
        f"listops linear seed {seed} training.steps={steps} training.warmup={steps // 10}"
        for steps in (100, 200)
        for seed in (0, 1)
    ]


def test_each_job_has_gpus_of_its_own_where_there_are_enough(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    place, one = Place(Path("results"), Path("data")), Launch()
    runs = [Run(Job(config("linear", accelerator="cuda"), place, one), "linear")]

    def visible(jobs, devices):
        pool = Pool(runs, Limits(jobs, None, devices), Overview(runs, jobs))
        gpus = [pool._environment(slot)["CUDA_VISIBLE_DEVICES"] for slot in range(jobs)]
        return gpus, pool._own_gpus()

    assert visible(2, 2) == (["4,5", "6,7"], True)
    assert visible(4, 1) == (["4", "5", "6", "7"], True)
    assert visible(5, 1) == (["4", "5", "6", "7", "4"], False)
    assert visible(1, 4) == (["4,5,6,7"], True)


class Instant:
    """A process that tells what it measured and is done; `started` has each one's job."""

    started: ClassVar[list] = []

    def __init__(self, work):
        job = work.request
        self.started.append((str(job.config.attention), job.beside, job.measured))
        measured = {name: f"{name}'s" for name in (self.started[-1][0], *job.beside)}
        self.events = [work_told("measured", measured)] if job.measured is None else []
        self.events.append(End())

    def event(self):
        return self.events.pop(0)

    def close(self):
        pass


@pytest.mark.parametrize(("accelerator", "second"), [("cpu", "linear+gfsa"), ("cuda", "sdpa")])
def test_runs_of_a_family_are_measured_once_beside_each_other(
    tmp_path, monkeypatch, accelerator, second
):
    """On GPUs two run at once, but for those that wait for what another one measures."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(local, "imported", lambda: None)
    monkeypatch.setattr(local, "ready", lambda processes, seconds: processes)
    monkeypatch.setattr(Instant, "started", [])
    jobs = 2 if accelerator == "cuda" else 1
    runs = [
        Run(Job(config(spec, seed, accelerator=accelerator), Place(tmp_path, tmp_path)), spec)
        for seed in (0, 1)
        for spec in ("linear", "linear+gfsa", "sdpa")
    ]
    Pool(runs, Limits(jobs, None, 1), Overview(runs, jobs), Instant).run()
    assert [run.state for run in runs] == ["done"] * 6
    assert Instant.started[0] == ("linear", ("linear+gfsa",), None)
    assert Instant.started[1][0] == second
    assert ("sdpa", (), None) in Instant.started
    others = [one for one in Instant.started if one[2] is not None]
    assert sorted(others) == [
        ("linear", (), "linear's"),
        *2 * [("linear+gfsa", (), "linear+gfsa's")],
        ("sdpa", (), "sdpa's"),
    ]


class Told:
    """A run as the overview sees it."""

    def __init__(self, title, state="waiting", report=None, seconds=0.0, slot=0):
        self.title, self.state, self.report, self.seconds = title, state, report, seconds
        self.slot, self.reason = slot, ""

    def elapsed(self):
        return 40.0


SHOWN = {"loss": "1.234", "accuracy": "20.0 %", "step": "7 ms", "val": "30.0 %"}


@pytest.mark.parametrize("terminal", [False, True])
def test_the_overview_shows_progress_states_and_time_left(monkeypatch, terminal):
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", shown)
    runs = [
        Told("first", "done", seconds=100.0),
        Told("second", "running", Report(50, 100, SHOWN, True, left=40.0)),
        Told("third"),
        Told("fourth", "failed"),
    ]
    with Overview(runs, jobs=1) as overview:
        overview.progress(runs[1])
        runs[1].state = "done"
        runs[1].seconds = 80.0
        overview.ended(runs[1])
        assert overview.counts() == "4 runs: 2 done, 1 waiting, 1 failed; about 90 s left"
    text = shown.getvalue()
    for part in ("second", "loss", "1.234", "val", "30.0 %", "40 s", "second: done"):
        assert part in text
    assert ("50/100" in text) and ("steps" in text) != terminal
    assert "4 runs: 2 done" in text
