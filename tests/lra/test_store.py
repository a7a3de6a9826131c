import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from attention_zoo import UsageError
from lra.data.prepare import find_source, prepare
from lra.data.store import Split, open_store, write_store
from lra.system.environment import ROOT
from lra.tasks import get_task
from lra.tasks.listops import ListOpsSettings

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
    write_store(path, original.recipe, original.splits, original.baselines)
    return path, original.recipe


def test_round_trip(original):
    assert {name: len(split) for name, split in original.splits.items()} == {
        "train": 60,
        "val": 20,
        "test": 20,
    }
    again = open_store(original.path, original.recipe)
    assert again.baselines == original.baselines
    texts = [bytes(split[i][0]) for split in again.splits.values() for i in range(len(split))]
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
        (lambda p: (p / "val.tokens.npy").unlink(), r"val\.tokens\.npy is missing"),
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
            lambda p: (p / "test.tokens.npy").write_bytes((p / "val.tokens.npy").read_bytes()),
            r"test\.tokens\.npy does not have the SHA-256",
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
        open_store(path, recipe | {"version": 2})


def test_a_failed_write_leaves_nothing(tmp_path, original):
    class Broken(Split):
        @property
        def labels(self):
            raise OSError(28, "No space left on device")

    broken = object.__new__(Broken)
    object.__setattr__(broken, "tokens", original.splits["val"].tokens)
    object.__setattr__(broken, "offsets", original.splits["val"].offsets)
    with pytest.raises(OSError):
        write_store(tmp_path / "store", original.recipe, {"val": broken}, {})
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from lra.data.prepare import prepare
from tests.lra.test_store import source

calls, sync = [], os.fsync
def fsync(file):
    calls.append(file)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    sync(file)
os.fsync = fsync
prepare(source(Path(sys.argv[1])), print, workers=1)
"""


@pytest.mark.parametrize("moment", [1, 5, 9, 10])
def test_a_preparation_killed_while_it_writes_is_not_taken_for_finished(tmp_path, moment):
    """Nine arrays and the metadata are synced, in that order."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(moment)]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    prepared = tmp_path / "prepared"
    assert [path for path in prepared.iterdir() if not path.name.startswith(".")] == []
    store = prepare(source(tmp_path), print, workers=1)
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


def test_examples_become_arrays():
    split = Split.of([(b"\x01\x02", 3), (b"\x04", 5)])
    assert split[0][0].tolist() == [1, 2] and split[1][0].tolist() == [4]
    assert (split[0][1], split[1][1], len(split)) == (3, 5, 2)
