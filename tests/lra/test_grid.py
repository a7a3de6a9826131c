"""Many runs in processes of their own: failures, limits, signals, several grids at once."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lra import run as running
from lra.cli import main
from lra.run import Place, Teller, run
from lra.system.environment import ROOT
from lra.training import checkpoints

from .tiny import SETTINGS, config, store, tiny_train

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


def records(results, name="record.json"):
    return [json.loads(path.read_text()) for path in sorted(results.glob(f"runs/*/{name}"))]


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.05)


def processes():
    """State and parent of every process."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not list its processes under /proc")
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            found[int(path.parent.name)] = state, int(parent)
    return found


def descendants(pid):
    parents = {child: parent for child, (state, parent) in processes().items() if state != "Z"}
    found, rest = set(), {pid}
    while rest:
        rest = {child for child, parent in parents.items() if parent in rest} - found
        found |= rest
    return found


def alive(pids):
    return {pid for pid, (state, _) in processes().items() if pid in pids and state != "Z"}


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


def test_out_of_memory_is_a_row_and_stops_no_other(tmp_path, done):
    """Of 512 tokens, 64 times 2 matrices take 134 MB; the linear attention needs a 20th."""
    long = ["task.max_length=512", "model.positions=512", "training.batch=64"]
    grid = done(tmp_path, "--memory-limit", "700M", attn=("softmax", "linear"), settings=long)
    assert grid.returncode == 1
    (failure,) = records(tmp_path, "failure.json")
    assert (failure["attention"], failure["kind"]) == ("softmax", "out of memory")
    assert "can't allocate memory" in failure["reason"]
    assert [record["attention"] for record in records(tmp_path)] == ["linear"]
    rows = {line.split("|")[1].strip(): line for line in grid.stdout.splitlines() if "|" in line}
    assert "1 out of memory" in rows["softmax"] and "out of memory" not in rows["linear"]
    assert "softmax seed 0: failed, out of memory: " in grid.stderr
    assert grid.stderr.splitlines()[-1].startswith("run_lra.py: error: 1 of 2 runs failed")
    assert "Traceback" not in grid.stderr


def test_time_limits_and_losses_that_are_not_finite_are_recorded(tmp_path, done):
    endless = ["training.steps=1000000", "training.eval_every=100"]
    rates = ["training.learning_rate=1e-3,1e30", "training.schedule=rsqrt"]
    grid = done(tmp_path, "--time-limit", "30s", settings=[*endless, *rates])
    assert grid.returncode == 1
    reasons = {record["kind"]: record["reason"] for record in records(tmp_path, "failure.json")}
    assert set(reasons) == {"time limit", "not finite"}
    assert re.match(r"stopped after 30 s( at step [\d,]+ of 1,000,000)?$", reasons["time limit"])
    assert "the training loss is nan at step" in reasons["not finite"]
    assert "1 time limit" in grid.stdout and "1 not finite" in grid.stdout


LONG = ["training.steps=400", "training.eval_every=100"]


def best(results):
    (path,) = results.glob("runs/*/best.ckpt")
    return torch.load(path, weights_only=True)["state_dict"]


def test_the_same_command_goes_on_after_a_kill_a_signal_and_a_killed_worker(tmp_path, done):
    def under_way():
        return list(tmp_path.glob("runs/*/unfinished/newest.state"))

    process = started(tmp_path, settings=LONG)
    wait_for(under_way)
    family = descendants(process.pid)
    assert family
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(family))

    process = started(tmp_path, settings=LONG)
    wait_for(lambda: "goes on from step" in process.stderr.readline())
    (worker,) = descendants(process.pid)
    os.kill(worker, signal.SIGKILL)
    assert process.wait() == 1
    (failure,) = records(tmp_path, "failure.json")
    assert failure["kind"] == "killed" and "probably out of memory" in failure["reason"]

    process = started(tmp_path, settings=LONG)
    wait_for(lambda: "goes on from step" in process.stderr.readline())
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.splitlines()[-1].endswith("the same command goes on with what is unfinished")

    last = done(tmp_path, settings=LONG)
    assert last.returncode == 0 and "goes on from step" in last.stderr
    whole = tiny_train(tmp_path / "whole", "linear", settings=[*LONG, "training.warmup=3"])
    assert all(torch.equal(best(tmp_path)[name], v) for name, v in whole.weights.items())
    (record,) = records(tmp_path)
    starts = [part["start"] for part in record["training"]["parts"]]
    assert len(starts) == 4 and starts[0] == 0 and not records(tmp_path, "failure.json")


def test_two_grids_at_once_share_the_work(tmp_path):
    grids = [started(tmp_path, attn=("linear", "efficient")) for _ in range(2)]
    told = [grid.communicate() for grid in grids]
    assert [grid.returncode for grid in grids] == [0, 0], told
    assert [record["attention"] for record in records(tmp_path)] == ["efficient", "linear"]
    errors = "".join(errors for _, errors in told)
    for name in ("linear", "efficient"):
        assert errors.count(f"listops {name} seed 0: training takes about") == 1
    assert told[0][0] == told[1][0]


SILENT = Teller(say=lambda line: None, report=lambda report: None)


def test_a_rerun_that_dies_leaves_the_old_record(tmp_path, monkeypatch):
    place = Place(tmp_path, store().path.parent.parent)
    variant = config("linear")
    old = run(variant, place, SILENT)
    folder = variant.directory(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}

    def killed(*arguments, **options):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(running, "train", killed)
        with pytest.raises(MemoryError):
            run(variant, place, SILENT, rerun=True)
    for name, content in before.items():
        assert (folder / name).read_bytes() == content
    assert run(variant, place, SILENT) == old
    new = run(variant, place, SILENT, rerun=True)
    assert new.test == old.test and new.training.started > old.training.started
    assert not (folder / "unfinished").exists()


def test_what_a_killed_process_left_after_its_record_is_cleared(tmp_path):
    place = Place(tmp_path, store().path.parent.parent)
    variant = config("linear")
    record = run(variant, place, SILENT)
    unfinished = variant.directory(tmp_path) / running.UNFINISHED
    journal = running.Journal(record.training.started, record.environment, record.measurement, [])
    running.write_journal(unfinished, journal)
    (unfinished.parent / ".record.json.1.partial").write_text("{")
    assert run(variant, place, SILENT) == record
    assert not unfinished.exists() and not list(unfinished.parent.glob(".*.partial"))

    # A kill while the folder is being removed may leave a checkpoint without its journal.
    unfinished.mkdir()
    newest = unfinished / checkpoints.NEWEST
    checkpoints.SealedFiles().save_checkpoint({"step": 12}, newest)
    assert run(variant, place, SILENT, rerun=True).training.parts[0].start == 0
    assert not unfinished.exists()


def test_a_run_that_cannot_be_started_stops_no_other(tmp_path, done):
    blocked = config("linear").directory(tmp_path)
    blocked.parent.mkdir()
    blocked.write_text("a file where the run's folder should be")
    grid = done(tmp_path, attn=("linear", "efficient"))
    assert grid.returncode == 1 and "linear seed 0: failed, its process did not" in grid.stderr
    assert [record["attention"] for record in records(tmp_path)] == ["efficient"]
