"""Several devices share each batch: the curve is that of one."""

import csv
import subprocess
import sys

import pytest

from lra.config import Launch
from lra.data.batches import Padding, Stream, evaluation_batches
from lra.system.environment import ROOT

from .tiny import SETTINGS, store, tiny_train

# Dropout differs from device to device, so it is off where two curves are compared.
EQUAL = ["model.dropout=0", "training.learning_rate=0.01", "training.steps=30"]


def curve(path):
    with open(path / "metrics.csv") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def test_two_processes_train_as_one_and_count_each_example_once(tmp_path):
    given = dict(item.split("=") for item in [*SETTINGS, *EQUAL])
    words = ["--task", "listops", "--protocol", "quick", "--attn", "performer:features=8+gfsa"]
    words += ["--set", *(f"{key}={value}" for key, value in given.items())]
    words += ["--results", tmp_path, "--data-dir", store().path.parent.parent]
    command = [sys.executable, ROOT / "run_lra.py", *words, "--devices", "2", "--strategy", "ddp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert '"devices": 2' in (run / "record.json").read_text()
    assert (run / "log.txt").read_text() == ""

    settings = [*EQUAL, "training.warmup=3"]
    alone = tiny_train(tmp_path / "alone", "performer:features=8+gfsa", settings=settings)
    one, two = curve(tmp_path / "alone"), curve(run)
    assert len(one) == len(two) == 3 + 7
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=1e-4)
    assert one[-1] != one[0] and (alone.val.count, alone.test.count) == (40, 50)
    assert '"count": 40' in (run / "record.json").read_text()
    assert '"count": 50' in (run / "record.json").read_text()


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_ranks_share_each_batch_and_each_split(ranks):
    whole = list(Stream(50, 8, 20, seed=1))
    shares = [list(Stream(50, 8, 20, seed=1, rank=rank, ranks=ranks)) for rank in range(ranks)]
    for step, members in enumerate(whole):
        assert sorted(i for share in shares for i in share[step]) == sorted(members)
        assert {len(share[step]) for share in shares} == {8 // ranks}
    split = store().splits["test"]
    for drop_last, count in ((False, 50), (True, 48)):
        batches = [
            batch
            for rank in range(ranks)
            for batch in evaluation_batches(
                split, 8, Padding(32), drop_last=drop_last, rank=rank, ranks=ranks
            )
        ]
        assert sum(len(labels) for _, _, labels in batches) == count
        seen = sorted(
            row[kept].tolist()
            for tokens, keep, _ in batches
            for row, kept in zip(tokens, keep, strict=True)
        )
        assert seen == sorted(split[i][0][0].tolist() for i in range(count))


def test_tensorboard_is_logged_to_on_request(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    run = tmp_path / "run"
    run.mkdir()
    tiny_train(run / "unfinished", launch=Launch(tensorboard=True))
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
