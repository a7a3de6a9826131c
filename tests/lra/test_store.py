import json
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from attention_zoo import UsageError
from lra.data.pieces import pieces
from lra.data.prepare import find_source, prepare
from lra.data.store import open_store
from lra.data.writer import written
from lra.failures import Killed
from lra.jobs.pool import mapper
from lra.system.environment import ROOT
from lra.tasks import get_task
from lra.tasks.listops.settings import ListOpsSettings

SETTINGS = ListOpsSettings(train=60, val=20, test=20, min_length=4, max_length=40, max_depth=5)


def source(folder, settings=SETTINGS):
    return find_source(get_task("listops"), settings, folder)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return prepare(source(tmp_path_factory.mktemp("data")), print, workers=1)


@pytest.fixture
def store(original, tmp_path):
    """A copy that a test may damage."""
    path = tmp_path / original.path.name
    shutil.copytree(original.path, path)
    return path, original.recipe


def test_round_trip(original):
    assert {name: len(split) for name, split in original.splits.items()} == {
        "train": 60,
        "val": 20,
        "test": 20,
    }
    again = open_store(original.path, original.recipe)
    assert again.baselines == original.baselines
    texts = [bytes(tokens) for split in again.splits.values() for (tokens,), _ in split]
    assert len(set(texts)) == 100
    assert isinstance(again.splits["train"].tokens, np.memmap)
    assert again.splits["train"].tokens.dtype == np.uint8


def test_settings_decide_where_data_lie(original):
    folder = original.path.parent.parent
    other = source(folder, ListOpsSettings(**{**vars(SETTINGS), "seed": 1}))
    assert original.path.name == original.fingerprint
    assert other.recipe != original.recipe and other.path != original.path
    before = sorted(original.path.iterdir())
    prepare(source(folder), print, workers=2)
    assert sorted(original.path.iterdir()) == before


def edit_metadata(path, **changes):
    file = path / "metadata.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "val.members.npy").unlink(), r"val\.members\.npy is missing"),
        (lambda p: (p / "metadata.json").unlink(), r"metadata\.json is missing"),
        (lambda p: (p / "metadata.json").write_text("{"), "is no JSON"),
        (lambda p: (p / "metadata.json").write_text("[]"), "not written by this suite"),
        (lambda p: edit_metadata(p, version=99), "has version 99"),
        (lambda p: edit_metadata(p, recipe={}), "was altered"),
        (lambda p: edit_metadata(p, counts={"train": 60}), "was altered"),
        (lambda p: edit_metadata(p, baselines={"majority class": 0.99}), "was altered"),
        (
            lambda p: (p / "train.labels.npy").write_bytes(
                (p / "train.labels.npy").read_bytes()[:-1]
            ),
            r"train\.labels\.npy does not have the SHA-256",
        ),
        (
            lambda p: (p / "test.members.npy").write_bytes((p / "val.members.npy").read_bytes()),
            r"test\.members\.npy does not have the SHA-256",
        ),
    ],
)
def test_what_is_damaged_or_foreign_is_refused_by_name(store, damage, message):
    path, recipe = store
    damage(path)
    with pytest.raises(UsageError, match=message) as error:
        open_store(path, recipe)
    assert "prepare the data again" in str(error.value)


def test_a_store_of_other_settings_is_refused(store):
    path, recipe = store
    with pytest.raises(UsageError, match="belongs to other data"):
        open_store(path, recipe | {"version": 7})


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(OSError), written(tmp_path / "store") as writer:
        writer.add(b"\x01\x02")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_sequence_is_stored_once(tmp_path):
    with written(tmp_path / "store") as writer:
        numbers = [writer.add(bytes(tokens)) for tokens in ([1, 2], [4], [1, 2], [4, 1])]
        assert numbers == [0, 1, 0, 2]
        splits = writer.splits({"train": [((0, 1), 3), ((2, 0), 5)], "test": [((1, 1), 2)]})
        assert splits["train"].tokens.tolist() == [1, 2, 4, 4, 1]
        (a, b), label = splits["train"][1]
        assert (a.tolist(), b.tolist(), label) == ([4, 1], [1, 2], 5)
        assert splits["train"].lengths.tolist() == [[2, 1], [2, 2]] and len(splits["test"]) == 1


def counted(folder, number):
    """A piece of work that leaves a trace of each time it was done."""
    with open(folder / "trace", "a") as trace:
        trace.write(f"{number}\n")
    return {"square": np.array([number**2])}


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_work_goes_on_with_what_is_missing(tmp_path, workers):
    def squares(count, workers):
        work = pieces(partial(counted, tmp_path), range(count), tmp_path / "work", workers, "work")
        return [int(piece["square"][0]) for piece in work]

    assert squares(5, 1) == [0, 1, 4, 9, 16]
    (tmp_path / "work" / "000001.npz").unlink()
    damaged = tmp_path / "work" / "000003.npz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    (tmp_path / "work" / ".000002.npz.77.partial").write_bytes(b"of a killed process")
    assert squares(7, workers) == [0, 1, 4, 9, 16, 25, 36]
    done = sorted((tmp_path / "trace").read_text().split())
    assert done == sorted(["0", "1", "2", "3", "4", "1", "3", "5", "6"])
    assert len(list((tmp_path / "work").iterdir())) == 7


def test_finished_pieces_outlive_a_worker_that_is_killed(tmp_path):
    """Unlike those of files that are refused."""
    parts = tmp_path / ".store.pieces"
    for error, left in ((Killed("its memory"), True), (UsageError("a file"), False)):
        parts.mkdir(exist_ok=True)
        raised = pytest.raises(Killed if left else UsageError)
        with raised, written(tmp_path / "store"), mapper(2, 3):
            raise error
        assert parts.exists() == left and not (tmp_path / "store").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from lra.data.prepare import prepare
from tests.lra.test_store import source

sync = os.fsync
for moment in sys.argv[2:]:
    if os.fork():
        assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL
        continue
    calls = []
    def fsync(file):
        calls.append(file)
        if len(calls) == int(moment):
            os.kill(os.getpid(), signal.SIGKILL)
        sync(file)
    os.fsync = fsync
    prepare(source(Path(sys.argv[1], moment)), print, workers=1)
    os._exit(0)
"""


def test_a_preparation_killed_while_it_writes_is_not_taken_for_finished(tmp_path):
    """Eight arrays and the metadata are synced, in that order, then the folder."""
    moments = ["1", "5", "9", "10"]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), *moments], cwd=ROOT, check=True)
    for moment in moments:
        prepared = tmp_path / moment / "prepared"
        assert [path for path in prepared.iterdir() if not path.name.startswith(".")] == []
        store = prepare(source(tmp_path / moment), print, workers=1)
        assert len(store.splits["train"]) == 60
        assert not list(prepared.glob("*.partial")) and not list(prepared.glob(".*.partial"))


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    command = [sys.executable, ROOT / "run_lra.py", "prepare", "--task", "listops"]
    process = subprocess.Popen([*command, "--workers", "2", "--data-dir", tmp_path])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not list a process's children")
    deadline = time.monotonic() + 60
    while len(workers := children.read_text().split()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)  # two workers and the resource tracker
    process.kill()
    process.wait()
    assert len(workers) == 3
    while any(_runs(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(worker) for worker in workers)
    assert not list(tmp_path.glob("prepared/[!.]*"))


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
