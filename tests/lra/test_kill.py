"""Thirty kills at random moments of a run, from its data to its record: nothing is lost."""

import json
import multiprocessing
import random
import time

import pytest
import torch

from lra import run as running
from lra.journal import UNFINISHED
from lra.measure.process import measure_apart
from lra.run import Place, Teller, run
from lra.training import checkpoints

from .tiny import config

KILLS = 30
VARIANT = config("performer:features=8,redraw=5+gfsa")
# What two runs of one identity may differ in.
OWN = ("finished", "training", "environment")


def whole_run(folder, measurement):
    """In a process of its own; the measurement, which no kill can spoil, is given."""
    running.measure_apart = lambda config: measurement
    checkpoints.EVERY = 0.0
    torch.set_num_threads(1)
    silent = Teller(say=lambda line: None, report=lambda report: None)
    run(VARIANT, Place(folder / "results", folder / "data"), silent)


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.lra.test_kill"])
    return context


@pytest.fixture(scope="module")
def measurement():
    return measure_apart(VARIANT)


def result(folder):
    (directory,) = (folder / "results" / "runs").iterdir()
    record = json.loads((directory / "record.json").read_text())
    left = {path.name for path in directory.iterdir()} - {".lock"}
    assert left == {"record.json", "best.ckpt", "metrics.csv"}
    assert {path.suffix for path in (folder / "data" / "prepared").iterdir()} <= {"", ".lock"}
    assert record["training"]["seconds"] > 0
    assert [part["start"] for part in record["training"]["parts"]] == sorted(
        part["start"] for part in record["training"]["parts"]
    )
    weights = torch.load(directory / "best.ckpt", weights_only=True)["state_dict"]
    same = {key: value for key, value in record.items() if key not in OWN}
    return weights, same, (directory / "metrics.csv").read_bytes()


def step_reached(folder):
    """−1 before there is a checkpoint."""
    found = [
        checkpoints.newest_checkpoint(unfinished, VARIANT.identity)
        for unfinished in folder.glob(f"results/runs/*/{UNFINISHED}")
    ]
    return found[0][1]["global_step"] if found and found[0] else -1


def test_thirty_kills(tmp_path, processes, measurement):
    def start(folder):
        process = processes.Process(target=whole_run, args=(folder, measurement))
        process.start()
        return process

    start(tmp_path / "warm").join()  # the first one waits for the server's imports
    began = time.monotonic()
    process = start(tmp_path / "whole")
    process.join()
    length = time.monotonic() - began
    assert process.exitcode == 0
    weights, record, curve = result(tmp_path / "whole")

    moments = random.Random(0)
    kills = finished = 0
    steps = set()
    while kills < KILLS:
        folder = tmp_path / str(finished)
        before = step_reached(folder)
        process = start(folder)
        process.join(moments.uniform(0.0, length))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            recorded = list(folder.glob("results/runs/*/record.json"))
            steps.add(13 if recorded else step_reached(folder))
            assert recorded or step_reached(folder) >= before
            continue
        assert process.exitcode == 0
        again = result(folder)
        assert again[1:] == (record, curve)
        assert all(torch.equal(again[0][name], value) for name, value in weights.items())
        finished += 1
    assert finished >= 1 and len(steps) >= 4
