"""What a grid is made of and what is seen of it, without a process."""

import io
import sys
from pathlib import Path

import pytest

from lra.grid.jobs import Run
from lra.grid.overview import Overview
from lra.grid.plan import plan, titles
from lra.grid.pool import Limits, Pool
from lra.grid.worker import Job
from lra.protocols import expand
from lra.run import Place
from lra.training.fit import Launch
from lra.training.progress import Report

from .tiny import config


def test_expand_and_titles():
    assert expand([]) == [[]]
    assert expand(["a.b=1,2", "c.d=3"]) == [["a.b=1", "c.d=3"], ["a.b=2", "c.d=3"]]
    configs = plan(
        tasks=["listops"],
        attentions=["linear", "linear"],
        seeds=[0, 1, 0],
        protocol="quick",
        settings=["training.steps=100,200", "model.dropout=0"],
        data_dir=Path("nowhere"),
        precision="32-true",
        accelerator="cpu",
        plugins=[],
        say=lambda line: None,
    )
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
