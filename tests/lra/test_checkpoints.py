"""A run that is cut off goes on from its newest whole checkpoint, bit for bit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.system import interrupts
from lra.training import checkpoints
from lra.training.checkpoints import BEFORE, NEWEST, SealedFiles, newest_checkpoint

from .tiny import config, tiny_train

SPEC = "performer:features=8,redraw=5+gfsa"
LAST = ["training.select=last", "training.learning_rate=0.01"]  # every step counts


class CutOff(Exception):
    """Stands for a kill."""


def cut_off(monkeypatch, folder, step, settings=LAST):
    with monkeypatch.context() as patch:

        def die(self, trainer, *arguments):
            saved(self, trainer, *arguments)
            if trainer.global_step == step:
                raise CutOff

        saved = checkpoints.Checkpoints.on_train_batch_end
        patch.setattr(checkpoints.Checkpoints, "on_train_batch_end", die)
        with pytest.raises(CutOff):
            tiny_train(folder, SPEC, settings=settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return tiny_train(folder, SPEC, settings=LAST), (folder / "metrics.csv").read_text()


@pytest.mark.parametrize(
    ("every", "steps"),
    # Of draws every 5 and validations every 4: at each, beside each, at the first and the last.
    [(0.0, (1, 4, 5, 7, 12)), (1e9, (3, 4, 9))],
    ids=["each step", "validations"],
)
def test_whatever_the_step_the_end_is_the_same(tmp_path, monkeypatch, whole, every, steps):
    monkeypatch.setattr(checkpoints, "EVERY", every)
    outcome, curve = whole
    for step in steps:
        folder = tmp_path / str(step)
        cut_off(monkeypatch, folder, step)
        resumed = tiny_train(folder, SPEC, settings=LAST)
        assert all(torch.equal(resumed.weights[k], v) for k, v in outcome.weights.items())
        assert (resumed.test, resumed.val, resumed.best_step) == (outcome.test, outcome.val, 12)
        assert (folder / "metrics.csv").read_text() == curve
        assert {path.name for path in folder.iterdir()} == {NEWEST, BEFORE, "metrics.csv"}


def test_the_best_weights_of_before_the_cut_are_kept(tmp_path, monkeypatch):
    settings = ["training.learning_rate=0.02"]
    outcome = tiny_train(tmp_path / "whole", SPEC, settings=settings)
    cut_off(monkeypatch, tmp_path / "cut", 11, settings)
    resumed = tiny_train(tmp_path / "cut", SPEC, settings=settings)
    assert resumed.best_step == outcome.best_step
    assert all(torch.equal(resumed.weights[k], v) for k, v in outcome.weights.items())


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    cut_off(monkeypatch, tmp_path / "run", 7)
    identity = SealedFiles().load_checkpoint(tmp_path / "run" / NEWEST)["callbacks"]
    identity = identity["Checkpoints"]["identity"]
    steps = []
    for name in (NEWEST, BEFORE, None):
        found = newest_checkpoint(tmp_path / "run", identity)
        steps.append(found and found[1]["global_step"])
        if name:
            content = (tmp_path / "run" / name).read_bytes()
            (tmp_path / "run" / name).write_bytes(content[:-1000])
    assert steps == [7, 6, None]
    resumed = tiny_train(tmp_path / "run", SPEC, settings=LAST)
    assert all(torch.equal(resumed.weights[k], v) for k, v in whole[0].weights.items())


def test_checkpoints_of_another_run_are_not_taken(tmp_path, monkeypatch):
    cut_off(monkeypatch, tmp_path / "run", 9)
    assert newest_checkpoint(tmp_path / "run", config("linear").identity) is None


def test_a_request_to_stop_is_obeyed_at_the_next_checkpoint(tmp_path, monkeypatch, whole):
    for step in (4, 7):
        asked = []

        def report(now, step=step, asked=asked):
            asked.append(now.step >= step)

        with monkeypatch.context() as patch:
            patch.setattr(interrupts, "requested", lambda asked=asked: asked[-1:] == [True])
            with pytest.raises(interrupts.Stopped):
                tiny_train(tmp_path / str(step), SPEC, settings=LAST, report=report)
        resumed = tiny_train(tmp_path / str(step), SPEC, settings=LAST)
        assert all(torch.equal(resumed.weights[k], v) for k, v in whole[0].weights.items())


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    path = tmp_path_factory.mktemp("sealed") / NEWEST
    SealedFiles().save_checkpoint({"weights": torch.arange(300.0), "step": 7}, path)
    return path.read_bytes(), path.with_name("damaged.state")


@given(data=st.data())
def test_no_damage_is_loaded(sealed, data):
    content, path = sealed
    damaged = bytearray(content)
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(content) - 1))
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        damaged = damaged[: data.draw(st.integers(0, len(content) - 1))]
    path.write_bytes(damaged)
    with pytest.raises(UsageError, match="is damaged"):
        SealedFiles().load_checkpoint(path)


def test_a_failed_write_leaves_the_checkpoint_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / NEWEST
    SealedFiles().save_checkpoint({"step": 1}, path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lra.system.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        SealedFiles().save_checkpoint({"step": 2}, path)
    assert SealedFiles().load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == [NEWEST]
