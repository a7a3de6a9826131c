"""A second run of what is on record: until its end the first stays, whatever cuts it off."""

import errno
import itertools
import os
import shutil
from pathlib import Path

import pytest
import torch

from lra.config import Place
from lra.data import store as data_store
from lra.evaluate import evaluate
from lra.results.curves import read_curve
from lra.results.layout import CHECKPOINT, FINISHED, JOURNAL, RECORD, UNFINISHED, result_file
from lra.results.reading import read_records
from lra.results.record import Record, read_record
from lra.run import folder as run_folder
from lra.run import run as running
from lra.run.describe import fail
from lra.run.journal import Journal, write_journal
from lra.run.run import Teller, run
from lra.system.files import sha256_of
from lra.training import checkpoints
from lra.training.fit import Outcome
from lra.training.metrics import COLUMNS

from .results.folders import Killed, tree
from .test_results import record
from .tiny import config, store

VARIANT = config("linear")
SILENT = Teller(say=lambda line: None, report=lambda report: None)
DATA = store().path.parent.parent


def measured_before(config, *_):
    return {str(config.attention): record().measurement}


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """Given: a measurement takes a process of its own."""
    monkeypatch.setattr(running, "measure_in_turns", measured_before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A results folder with one run on record."""
    results = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "measure_in_turns", measured_before)
        run(VARIANT, Place(results, DATA), SILENT)
    return results


@pytest.fixture
def results(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "results")


def files(results):
    return {name: content for name, content in tree(results).items() if name[-5:] != ".lock"}


def rerun(results, **options):
    return run(VARIANT, Place(results, DATA), SILENT, rerun=True, **options)


def stopped_rerun(results, monkeypatch):
    """One with a checkpoint of step 7."""
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "EVERY", 0.0)
        saved = checkpoints.Checkpoints._save

        def save(self, trainer):
            saved(self, trainer)
            if trainer.global_step == 7:
                raise Killed

        patch.setattr(checkpoints.Checkpoints, "_save", save)
        with pytest.raises(Killed):
            rerun(results)
    return VARIANT.directory(results) / UNFINISHED


@pytest.mark.parametrize("journal", ["", '{"schema": 9}', None], ids=["empty", "other", "gone"])
def test_a_stopped_rerun_goes_on_whatever_its_journal(results, monkeypatch, journal):
    unfinished = stopped_rerun(results, monkeypatch)
    (unfinished / JOURNAL).unlink()
    if journal is not None:
        (unfinished / JOURNAL).write_text(journal)
    before = files(results)
    (unfinished / f".{JOURNAL}.1.partial").write_text("{")
    old = run(VARIANT, Place(results, DATA), SILENT)
    assert files(results) == before
    new = rerun(results)
    assert [part.start for part in new.training.parts] == [7] and new.test == old.test
    assert new.training.started > old.training.started and not unfinished.exists()


def test_a_journal_without_a_file_handle_left_to_read_it_is_kept(results, monkeypatch):
    unfinished = stopped_rerun(results, monkeypatch)
    before = tree(unfinished)

    def read(path):
        if path.name == JOURNAL:
            raise OSError(errno.EMFILE, "Too many open files", str(path))
        return path.read_text().encode()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read)
        with pytest.raises(OSError, match="Too many open files"):
            rerun(results)
    assert tree(unfinished) == before
    assert [part.start for part in rerun(results).training.parts] == [0, 7]


def test_without_a_measurement_none_is_made_and_one_that_is_there_is_kept(results, monkeypatch):
    def measure_in_turns(*_):
        raise AssertionError

    unfinished = stopped_rerun(results, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(running, "measure_in_turns", measure_in_turns)
        assert rerun(results, measure=False).measurement == record().measurement
        assert rerun(results, measure=False).measurement is None
        assert not unfinished.exists()
    (found,) = read_records(results)
    assert found.measurement is None


def test_data_that_the_command_has_verified_are_not_read_for_it_again(tmp_path, monkeypatch):
    def sha256_of(_):
        raise AssertionError

    monkeypatch.setattr(data_store, "sha256_of", sha256_of)
    assert run(VARIANT, Place(tmp_path, DATA), SILENT, verify=False) is not None


def test_a_rerun_that_dies_leaves_the_old_record(results, monkeypatch):
    def no_memory(*arguments, **options):
        raise MemoryError

    before = files(results)
    with monkeypatch.context() as patch:
        patch.setattr(running, "train", no_memory)
        with pytest.raises(MemoryError):
            rerun(results)
    after = files(results)
    assert {name: after.get(name) for name in before} == before


def killed_at(patch, at):
    """Kills at the `at`-th call that changes what is on the disk."""
    left = iter(range(at))

    def counted(function):
        def called(*arguments, **options):
            if next(left, None) is None:
                raise Killed
            return function(*arguments, **options)

        return called

    for place, name in (
        (os, "replace"),
        (shutil, "rmtree"),
        (run_folder, "sync_folder"),
        (Path, "unlink"),
    ):
        patch.setattr(place, name, counted(getattr(place, name)))


def found(results):
    """What a reader finds of the run: the record, once its weights fit it, and the curve."""
    (record,) = read_records(results)
    folder = VARIANT.directory(results)
    if isinstance(record, Record):
        assert sha256_of(result_file(folder, CHECKPOINT)) == record.training.checkpoint
    return record, read_curve(folder).points


@pytest.mark.parametrize("before", ["a result", "a failure"])
def test_a_result_counts_whole_or_not_at_all_wherever_its_end_is_cut(trained, tmp_path, before):
    folder = VARIANT.directory(trained)
    first = read_record(folder / RECORD)
    weights = torch.load(folder / CHECKPOINT, weights_only=True)["state_dict"]
    last = Outcome(11, 1.0, weights, first.val, first.test, [], [])
    seen = []
    for at in itertools.count():
        results = shutil.copytree(trained, tmp_path / str(at))
        folder = VARIANT.directory(results)
        if before == "a failure":
            shutil.rmtree(folder)
            fail(VARIANT, results, "killed", "once")
        old = found(results)
        journal = Journal("2027-01-01", first.environment, first.measurement, [])
        write_journal(folder / UNFINISHED, journal)
        (folder / UNFINISHED / "newest.state").touch()
        (folder / UNFINISHED / "metrics.csv").write_text(",".join(COLUMNS) + "\n9,1,0,1,0\n")
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, at)
            try:
                running.finish(VARIANT, folder, store(), journal, last)
                break
            except Killed:
                pass
        now = found(results)
        seen.append(now == old)
        if seen[-2:] == [True, False]:
            assert evaluate(folder, DATA, "test")[1] == first.test
        run_folder.clean(folder)
        assert found(results) == now and not (folder / FINISHED).exists()
        assert (folder / UNFINISHED).exists() == (now == old)
    assert seen == sorted(seen, reverse=True) and len(seen) > 8 and seen[-1] is False
