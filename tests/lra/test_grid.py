"""Many runs in processes of their own: failures, limits, signals, several grids at once."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lra.cli import main
from lra.grid.overview import Overview
from lra.run.job import Job
from lra.system.environment import ROOT

from .tiny import SETTINGS, store, tiny_train

DATA = ["--data-dir", str(store().path.parent.parent)]


def command(results, *words, attn=("linear",), settings=()):
    """A command line over the tiny protocol, with other settings where they are given."""
    given = dict(item.split("=") for item in [*SETTINGS, *settings])
    assignments = [f"{key}={value}" for key, value in given.items()]
    task = ["--task", "listops", "--protocol", "quick", "--set", *assignments, "--attn", *attn]
    return [sys.executable, ROOT / "run_lra.py", *task, "--results", results, *DATA, *words]


@pytest.fixture
def done(capsys):
    """Runs a command line in this process: its exit status and what it printed."""

    def run_main(*arguments, **keywords):
        status = main([str(word) for word in command(*arguments, **keywords)[2:]])
        return subprocess.CompletedProcess([], status, *capsys.readouterr())

    return run_main


def started(*arguments, **keywords):
    line = command(*arguments, **keywords)
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(done):
    """The cells of a table."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def records(results, name="record.json"):
    return [json.loads(path.read_text()) for path in sorted(results.glob(f"runs/*/{name}"))]


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.05)


def processes():
    """The parent of every living process of this Python; a test's browser has its own, which come
    and go."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not list its processes under /proc")
    own, found = os.readlink("/proc/self/exe"), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(folder / "exe") == own:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                found |= {int(folder.name): int(parent)} if state != "Z" else {}
    return found


def descendants(pid):
    parents = processes()
    found, rest = set(), {pid}
    while rest:
        rest = {child for child, parent in parents.items() if parent in rest} - found
        found |= rest
    return found


def alive(pids):
    return pids & processes().keys()


def test_several_values_are_a_grid(tmp_path, done):
    settings = ["training.steps=12,16"]
    listed = done(tmp_path, "--dry-run", settings=settings)
    assert listed.returncode == 0 and listed.stdout.count("| to run ") == 2
    assert "seed 0 training.steps=16" in listed.stdout and not list(tmp_path.iterdir())
    grid = done(tmp_path, "--jobs", "2", settings=settings)
    assert grid.returncode == 0, grid.stderr
    assert sorted(r["modified"]["training.steps"] for r in records(tmp_path)) == [12, 16]
    assert "2 runs: 2 done" in grid.stderr
    threads = {record["environment"]["threads"] for record in records(tmp_path)}
    assert threads == {max(1, torch.get_num_threads() // 2)}
    again = done(tmp_path, settings=settings)
    assert (again.returncode, again.stdout) == (0, grid.stdout)
    assert again.stderr.count(": on record, ") == 2
    assert done(tmp_path, "--dry-run", settings=settings).stdout.count("| on record ") == 2


def test_failures_are_rows_and_stop_no_other(tmp_path, done):
    """Of 2,048 tokens, 4 times 2 matrices take 134 MB; the linear attention needs a 100th."""
    settings = ["task.max_length=2048", "model.positions=2048", "training.batch=4"]
    settings += ["training.learning_rate=1e-3,1e30", "training.schedule=rsqrt"]
    listed = done(tmp_path, "--dry-run", attn=("softmax", "linear"), settings=settings)
    runs = {run: tmp_path / "runs" / folder for run, _, folder in rows(listed)}
    (blocked,) = (path for run, path in runs.items() if "softmax" in run and "1e+30" in run)
    blocked.parent.mkdir()
    blocked.write_text("a file where the run's folder should be")

    grid = done(tmp_path, "--memory-limit", "700M", attn=("softmax", "linear"), settings=settings)
    assert grid.returncode == 1
    reasons = {failure["kind"]: failure for failure in records(tmp_path, "failure.json")}
    assert set(reasons) == {"out of memory", "not finite"}
    assert reasons["out of memory"]["attention"] == "softmax"
    assert "can't allocate memory" in reasons["out of memory"]["reason"]
    assert " loss is nan at step" in reasons["not finite"]["reason"]
    assert [record["attention"] for record in records(tmp_path)] == ["linear"]
    shown = "\n".join(line for line in grid.stdout.splitlines() if line.startswith("| softmax"))
    assert "1 out of memory" in shown and "1 not finite" in grid.stdout
    assert "learning_rate=1e+30: failed, its process did not start: " in grid.stderr
    assert "softmax seed 0: failed, out of memory: " in grid.stderr
    assert grid.stderr.splitlines()[-1].startswith("run_lra.py: error: 3 of 4 runs failed")
    assert "Traceback" not in grid.stderr


def test_a_time_limit_is_recorded(tmp_path, done):
    grid = done(tmp_path, "--time-limit", "3s", settings=["training.steps=1000000"])
    assert grid.returncode == 1 and "1 time limit" in grid.stdout
    (failure,) = records(tmp_path, "failure.json")
    assert failure["kind"] == "time limit"
    assert re.match(r"stopped after 3 s( at step [\d,]+ of 1,000,000)?$", failure["reason"])


LONG = ["training.steps=400", "training.eval_every=100"]


def best(results):
    (path,) = results.glob("runs/*/best.ckpt")
    return torch.load(path, weights_only=True)["state_dict"]


def when(monkeypatch, text, act):
    """Does something to a run, in place of what was done before, when it says `text`."""
    monkeypatch.undo()
    said = Overview.say

    def say(self, line, run=None):
        said(self, line, run)
        if text in line:
            act(run)

    monkeypatch.setattr(Overview, "say", say)


def test_the_same_command_goes_on_after_a_kill_a_signal_and_a_killed_worker(
    tmp_path, done, monkeypatch
):
    def under_way():
        return list(tmp_path.glob("runs/*/unfinished/newest.state"))

    process = started(tmp_path, settings=LONG)
    wait_for(under_way)
    family = descendants(process.pid)
    assert family
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(family))

    when(monkeypatch, "goes on from step", lambda run: run.process._process.kill())
    assert done(tmp_path, settings=LONG).returncode == 1
    (failure,) = records(tmp_path, "failure.json")
    assert failure["kind"] == "killed" and "probably out of memory" in failure["reason"]

    when(monkeypatch, "goes on from step", lambda run: os.kill(os.getpid(), signal.SIGTERM))
    stopped = done(tmp_path, settings=LONG)
    assert stopped.returncode == 128 + signal.SIGTERM
    assert stopped.stderr.splitlines()[-1].endswith(
        "the same command goes on with what is unfinished"
    )
    when(monkeypatch, "goes on from step", lambda run: None)

    last = done(tmp_path, settings=LONG)
    assert last.returncode == 0 and "goes on from step" in last.stderr
    whole = tiny_train(tmp_path / "whole", "linear", settings=[*LONG, "training.warmup=3"])
    assert all(torch.equal(best(tmp_path)[name], v) for name, v in whole.weights.items())
    (record,) = records(tmp_path)
    starts = [part["start"] for part in record["training"]["parts"]]
    assert len(starts) == 4 and starts[0] == 0 and not records(tmp_path, "failure.json")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_wait_for_a_step_that_takes_long(
    tmp_path, done, monkeypatch, impatient, number
):
    """Of a grid in the background, where shells have SIGINT ignored."""
    when(monkeypatch, "deaf", lambda run: os.kill(os.getpid(), number))
    work = Job.work
    monkeypatch.setattr(Job, "work", lambda *a: replace(work(*a), job="tests.lra.jobs:deaf"))
    others = descendants(os.getpid())
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    grid = done(tmp_path, attn=("linear", "efficient"))
    assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN
    assert grid.returncode == 128 + number and "linear seed 0: stopped" in grid.stderr
    assert descendants(os.getpid()) == others


def test_two_grids_at_once_share_the_work(tmp_path, done):
    other = started(tmp_path, attn=("linear", "efficient"))
    here = done(tmp_path, attn=("linear", "efficient"))
    out, err = other.communicate()
    assert (here.returncode, other.returncode) == (0, 0), (here.stderr, err)
    assert [record["attention"] for record in records(tmp_path)] == ["efficient", "linear"]
    for name in ("linear", "efficient"):
        assert (here.stderr + err).count(f"listops {name} seed 0: training takes about") == 1
    assert here.stdout == out
