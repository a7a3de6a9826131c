"""Thirty kills at random moments of runs, from data and measurement to record: nothing is lost."""

import itertools
import json
import multiprocessing
import os
import random
import shutil
import time

import pytest
import torch

from lra.config import Place
from lra.jobs.local import import_ahead
from lra.results.layout import CHECKPOINT, RECORD, RESULT, UNFINISHED, result_file
from lra.results.record import read_record
from lra.run import run as running
from lra.run.run import Teller, run
from lra.system.files import sha256_of, write_json
from lra.training import checkpoints
from lra.training.metrics import METRICS

from .test_grid import alive, descendants, wait_for
from .tiny import config

KILLS = {"measurement": 2, "run": 14, "rerun": 14}
VARIANT = config("performer:features=8,redraw=5+gfsa")
# What two runs of one identity may differ in.
OWN = ("finished", "training", "environment")


def whole_run(folder, measurement, rerun):
    """In a process of its own. measurement: None to make it."""
    if measurement:
        running.measure_in_turns = lambda *_: {str(VARIANT.attention): measurement}
    checkpoints.EVERY = 0.0
    torch.set_num_threads(1)
    silent = Teller(say=lambda line: None, report=lambda report: None)
    run(VARIANT, Place(folder / "results", folder / "data"), silent, rerun=rerun)


@pytest.fixture(scope="module")
def start():
    """Starts a process that runs VARIANT in a folder."""
    context = multiprocessing.get_context("forkserver")
    import_ahead("lra.run.carry", "lra.measure.answers", "tests.lra.test_kill")

    def started(folder, measurement=None, rerun=False):
        process = context.Process(target=whole_run, args=(folder, measurement, rerun))
        process.start()
        return process

    return started


@pytest.fixture(scope="module")
def whole(tmp_path_factory, start):
    """The folder of a run that was only killed while it was measured, and how long the rest of it
    takes."""
    folder = tmp_path_factory.mktemp("whole")
    moments = random.Random(0)
    for _ in range(KILLS["measurement"]):
        before = descendants(os.getpid())
        process = start(folder)
        before.add(process.pid)
        wait_for(
            lambda before=before, process=process: (
                descendants(os.getpid()) - before or not process.is_alive()
            )
        )
        if not process.is_alive():
            break  # it had just been measured when it was killed
        time.sleep(moments.uniform(0.0, 0.1))
        family = descendants(os.getpid()) - before
        process.kill()
        process.join()
        wait_for(lambda family=family: not alive(family))
    else:
        process = start(folder)
    process.join()
    assert process.exitcode == 0
    measurement = read_record(place(folder) / RECORD).measurement
    began = time.monotonic()
    start(folder.with_name("length"), measurement).join()
    return folder, measurement, time.monotonic() - began


def place(folder):
    return VARIANT.directory(folder / "results")


def result(folder):
    directory = place(folder)
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


def killed_runs(start, whole, folders, kills, rerun=False):
    """Kills runs, each until one comes to its end, and yields the folder after each kill, with the
    step that it had reached before."""
    _, measurement, length = whole
    moments = random.Random(0)
    folder = next(folders)
    while kills:
        before = step_reached(folder)
        process = start(folder, measurement, rerun)
        process.join(moments.uniform(0.0, length))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills -= 1
            yield folder, before
        else:
            assert process.exitcode == 0
            require_same(folder, whole[0])
            folder = next(folders)
    start(folder, measurement, rerun).join()
    require_same(folder, whole[0])


def require_same(folder, other):
    (weights, *rest), (expected, *others) = result(folder), result(other)
    assert rest == others
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_kills_of_a_run(tmp_path, start, whole):
    folders = (tmp_path / str(i) for i in itertools.count())
    steps = set()
    for folder, before in killed_runs(start, whole, folders, KILLS["run"]):
        recorded = result_file(place(folder), RECORD).exists()
        steps.add(13 if recorded else step_reached(folder))
        assert recorded or step_reached(folder) >= before
    assert len(steps) >= 2


def test_kills_of_a_rerun(tmp_path, start, whole):
    """The old record stands, with its own files, until the new one does."""

    def folders():
        for i in itertools.count():
            folder = shutil.copytree(whole[0], tmp_path / str(i))
            content = json.loads((place(folder) / RECORD).read_text())
            (place(folder) / CHECKPOINT).write_text("old")
            (place(folder) / METRICS).write_text("old")
            content["training"]["checkpoint"] = sha256_of(place(folder) / CHECKPOINT)
            write_json(place(folder) / RECORD, content)
            yield folder

    steps = set()
    for folder, before in killed_runs(start, whole, folders(), KILLS["rerun"], rerun=True):
        files = {name: result_file(place(folder), name) for name in RESULT}
        old = files[CHECKPOINT].read_bytes() == b"old"
        assert (files[METRICS].read_bytes() == b"old") == old
        record = read_record(files[RECORD])
        assert record.training.checkpoint == sha256_of(files[CHECKPOINT])
        assert step_reached(folder) >= before or not old
        steps.add(step_reached(folder))
    assert len(steps) >= 2
