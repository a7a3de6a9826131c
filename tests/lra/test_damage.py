"""Damaged files and full disks: never taken for good, never a traceback, nothing lost."""

import contextlib
import dataclasses
import json
import os
import resource
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.cli import main
from lra.config import Place
from lra.data.store import open_store
from lra.results.record import Record, read_record, write_record
from lra.run.folder import recorded
from lra.run.journal import Journal, read_journal, write_journal
from lra.run.run import Teller, run
from lra.training import checkpoints
from lra.typed import load

from .test_results import ENVIRONMENT, PART, failure, record
from .tiny import SETTINGS, config, store

RECORD, FAILED = record(), failure()


def damaged(data, content):
    """Flipped bits, a cut, or another byte order of the same."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    return bytes(content[:end])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


@given(data=st.data())
@pytest.mark.parametrize("kept", [RECORD, FAILED], ids=["record", "failure"])
def test_damaged_records_are_named_or_still_records(folder, kept, data):
    write_record(folder, kept)
    path = folder / ("record.json" if isinstance(kept, Record) else "failure.json")
    path.write_bytes(damaged(data, path.read_bytes()))
    try:
        read = read_record(path)
    except UsageError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert load(type(kept), json.dumps(dataclasses.asdict(read))) == read
    path.unlink()


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(data=st.data())
def test_any_json_in_the_place_of_a_value_is_refused_or_fits(folder, data):
    content = dataclasses.asdict(RECORD)
    place = content
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(anything)
    try:
        load(Record, json.dumps(content))
    except UsageError as error:
        assert "\n" not in str(error)


@given(data=st.data())
def test_damaged_journals_are_whole_or_none(folder, data):
    journal = Journal("2026-01-01", ENVIRONMENT, RECORD.measurement, [PART])
    write_journal(folder, journal)
    path = folder / "journal.json"
    path.write_bytes(damaged(data, path.read_bytes()))
    assert isinstance(read_journal(folder), Journal | None)


@given(data=st.data())
def test_damaged_stores_are_refused(folder, data):
    """Every byte of a store counts, so any change is noticed."""
    original = store()
    path = folder / original.path.name
    if not path.exists():
        shutil.copytree(original.path, path)
    name = data.draw(st.sampled_from(sorted(file.name for file in path.iterdir())))
    content = (path / name).read_bytes()
    other = damaged(data, content)
    (path / name).write_bytes(other)
    try:
        if other != content:
            same = name == "metadata.json" and json_of(other) == json_of(content)
            if not same:
                with pytest.raises(UsageError, match="prepare the data again"):
                    open_store(path, original.recipe)
        else:
            assert open_store(path, original.recipe).baselines == original.baselines
    finally:
        (path / name).write_bytes(content)


def json_of(content):
    try:
        return json.loads(content)
    except ValueError:
        return None


def test_damaged_runs_do_not_hide_the_others_from_the_table(tmp_path, capsys):
    for name, kept in (("a", RECORD), ("b", FAILED), ("c", RECORD)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_record(tmp_path / "runs" / name, kept)
    (tmp_path / "runs" / "c" / "record.json").write_bytes(b"\xff" * 10)
    assert main(["table", "--results", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "| linear" in out and "1 out of memory" in out
    assert err.startswith("skipped: ") and err.count("\n") == 1


def test_a_record_that_cannot_be_read_says_what_to_do(tmp_path):
    directory = config().directory(tmp_path)
    directory.mkdir(parents=True)
    (directory / "record.json").write_text("{")
    with pytest.raises(UsageError, match="; move it away, and the run is made anew"):
        recorded(config(), tmp_path)


@contextlib.contextmanager
def largest_file(size):
    """Nobody writes a larger one, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_loses_nothing(tmp_path, monkeypatch):
    """Files of up to 30 KB fit, so the journal does, and the first checkpoint does not."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    silent = Teller(lambda line: None, lambda report: None)
    given = config("linear"), Place(tmp_path, store().path.parent.parent), silent
    with largest_file(30_000), pytest.raises(OSError, match="File too large"):
        run(*given, measure=False)
    (folder,) = (tmp_path / "runs").iterdir()
    left = {path.name for path in folder.rglob("*") if path.is_file()} - {".lock"}
    assert left == {"journal.json"}
    run(*given, measure=False)
    assert {path.name for path in folder.iterdir()} >= {"record.json", "best.ckpt", "metrics.csv"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    try:
        subprocess.run(options, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine does not let a test mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_file_system_that_fills_up_loses_nothing(small_disk, capsys):
    given = dict(item.split("=") for item in SETTINGS)
    words = ["--task", "listops", "--protocol", "quick", "--attn", "linear", "--set"]
    words += [f"{key}={value}" for key, value in given.items()]
    words += ["--results", str(small_disk), "--data-dir", str(store().path.parent.parent)]
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(985 * 1024))
    kept = {path: path.read_bytes() for path in small_disk.iterdir()}
    assert main(words) == 1
    err = capsys.readouterr().err
    assert "No space left on device" in err and "Traceback" not in err
    assert all(path.read_bytes() == content for path, content in kept.items())
    os.truncate(ballast, 0)
    assert main(words) == 0
    assert "| linear" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("task",), "poker"),
        (("accelerator",), "abacus"),
        (("test", "count"), 0),
        (("test", "accuracy"), 2.0),
        (("val", "accuracy"), float("nan")),
        (("modified",), {"training.steps": [1]}),
        (("measurement", "memory"), {}),
        (("measurement", "training_step", "median_ms"), 0.0),
        (("measurement", "examples_per_second"), float("inf")),
    ],
    ids=lambda part: ".".join(part) if isinstance(part, tuple) else None,
)
def test_a_foreign_record_is_named_and_skipped(tmp_path, capsys, path, value):
    for name, changes in (("good", None), ("foreign", path)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        content = dataclasses.asdict(RECORD)
        if changes:
            *parents, last = path
            part = content
            for key in parents:
                part = part[key]
            part[last] = value
        (folder / "record.json").write_text(json.dumps(content))
    assert main(["table", "--results", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "| linear " in out
    assert len(err.splitlines()) == 1 and "skipped: " in err and "foreign" in err
