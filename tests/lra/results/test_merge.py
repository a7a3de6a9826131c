import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.results import merge as merging
from lra.results.comparable import once
from lra.results.merge import merge
from lra.results.summary import cost_groups
from tests.lra.test_results import ENVIRONMENT, failure, record

from .folders import Killed, contents, cut_short, found, put, tree, worked_on

OTHER = ENVIRONMENT.__class__(**vars(ENVIRONMENT) | {"device": "Other CPU"})


def brought(results, *sources):
    return merge(sources, results, lambda line: None)


def without_locks(content):
    return {name: text for name, text in content.items() if not name.endswith(".lock")}


def test_whole_runs_come_without_locks_and_what_is_unfinished(tmp_path):
    a = put(tmp_path / "a", record("linear", identity="1" * 16), "x")
    (a / "unfinished").mkdir()
    (a / "unfinished" / "newest.state").write_bytes(b"weights")
    (a / ".record.json.1.partial").write_bytes(b"{")
    (a / "tensorboard").mkdir()
    (a / "tensorboard" / "events").write_bytes(b"events")
    merged = brought(tmp_path / "to", tmp_path / "a")
    assert merged.came == [tmp_path / "to" / "runs" / "x"] and merged.unfinished == [a]
    assert set(tree(merged.came[0])) == {
        *("record.json", "best.ckpt", "metrics.csv", "log.txt", "tensorboard/events")
    }
    assert all((a / name).read_bytes() == text for name, text in tree(merged.came[0]).items())


def test_the_same_record_is_not_copied_again(tmp_path):
    put(tmp_path / "a", record(), "x")
    put(tmp_path / "b", record(), "y")
    first = brought(tmp_path / "to", tmp_path / "a", tmp_path / "b")
    assert [path.name for path in first.came] == ["x"] and first.there == first.came
    spelt = tmp_path / "b" / "runs" / "y" / "record.json"
    spelt.write_text(json.dumps(json.loads(spelt.read_text()), sort_keys=True))
    before = tree(tmp_path / "to")
    assert not brought(tmp_path / "to", tmp_path / "b").came
    assert without_locks(tree(tmp_path / "to")) == without_locks(before)


def test_another_record_of_a_run_is_kept_beside_it_and_counted_once(tmp_path):
    here = record(accuracy=0.3, finished="2026-01-01")
    there = record(accuracy=0.4, finished="2026-01-02", environment=OTHER)
    put(tmp_path / "to", here, "x")
    put(tmp_path / "a", there, "x")
    (place,) = brought(tmp_path / "to", tmp_path / "a").came
    assert place.name.startswith("x~") and len(place.name) == 10
    assert found(tmp_path / "to") == [here, there]  # the first name stays where it was
    assert once(found(tmp_path / "to")) == [there]
    assert len(cost_groups(found(tmp_path / "to"))) == 2
    back = brought(tmp_path / "b", tmp_path / "to")
    assert [path.name for path in back.came] == ["x", place.name]
    assert not brought(tmp_path / "to", tmp_path / "b").came
    alone = tmp_path / "c" / "runs" / place.name
    alone.parent.mkdir(parents=True)
    shutil.copytree(place, alone)
    assert brought(tmp_path / "d", tmp_path / "c").came == [tmp_path / "d" / "runs" / "x"]


def test_a_run_that_goes_on_here_keeps_its_folder(tmp_path):
    """A folder without a record belongs to whoever will go on in it."""
    mine = tmp_path / "to" / "runs" / "x" / "unfinished"
    mine.mkdir(parents=True)
    (mine / "newest.state").write_bytes(b"mine")
    put(tmp_path / "a", record(), "x")
    (place,) = brought(tmp_path / "to", tmp_path / "a").came
    assert place.name.startswith("x~") and tree(mine) == {"newest.state": b"mine"}
    assert not brought(tmp_path / "to", tmp_path / "a").came


def test_a_result_and_a_failure_of_one_run_are_both_kept(tmp_path):
    put(tmp_path / "a", failure("linear", identity="i"), "x")
    put(tmp_path / "b", record("linear", identity="i"), "x")
    brought(tmp_path / "to", tmp_path / "a", tmp_path / "b")
    assert len(found(tmp_path / "to")) == 2
    assert once(found(tmp_path / "to")) == [record("linear", identity="i")]


def test_what_is_damaged_or_foreign_is_named_and_skipped(tmp_path):
    runs = tmp_path / "a" / "runs"
    good = put(tmp_path / "a", record(seed=1))
    (put(tmp_path / "a", record(seed=2), "cut") / "record.json").write_text('{"schema": 3,')
    (put(tmp_path / "a", record(seed=3), "newer") / "record.json").write_text('{"schema": 9}')
    (put(tmp_path / "a", record(seed=4), "link") / "log.txt").unlink()
    (runs / "link" / "log.txt").symlink_to("nowhere")
    (runs / "empty").mkdir()
    (runs / "begun" / "unfinished").mkdir(parents=True)
    (runs / "notes.txt").write_text("mine")
    (runs / ".other.aside").mkdir()
    merged = brought(tmp_path / "to", tmp_path / "a")
    assert [path.name for path in merged.came] == [good.name]
    reasons = dict(line.removeprefix(f"{runs}{os.sep}").split(": ", 1) for line in merged.skipped)
    assert reasons.keys() == {"cut", "newer", "link", "empty", "begun", "notes.txt"}
    assert "made by a newer version" in reasons["newer"]
    assert reasons["link"] == "log.txt: No such file or directory"
    assert reasons["empty"] == "holds no record" and reasons["notes.txt"] == "no folder of a run"
    assert reasons["begun"] == "unfinished, go on with it where it is"
    assert not list((tmp_path / "to" / "runs").glob(".*.aside"))


def test_a_run_that_a_process_works_on_comes_when_it_has_ended(tmp_path):
    folder = put(tmp_path / "a", record())
    with worked_on(folder):
        (line,) = brought(tmp_path / "to", tmp_path / "a").skipped
    assert line.endswith("a process is working on it; merge again when it has ended")
    assert brought(tmp_path / "to", tmp_path / "a").came


def test_a_damaged_record_here_does_not_stand_for_a_whole_one(tmp_path):
    put(tmp_path / "a", record(), "x")
    (put(tmp_path / "to", record(), "x") / "record.json").write_text("{")
    (place,) = brought(tmp_path / "to", tmp_path / "a").came
    assert place.name.startswith("x~") and found(tmp_path / "to")[1:] == [record()]
    (place / "record.json").write_text("{")
    (line,) = brought(tmp_path / "to", tmp_path / "a").skipped
    assert line.endswith(f"{place} is in its way")


def test_a_runs_folder_and_one_run_are_taken_for_what_they_are(tmp_path):
    a, b = (put(tmp_path / "a", record(seed=seed)) for seed in (0, 1))
    assert brought(tmp_path / "to", a).came == [tmp_path / "to" / "runs" / a.name]
    assert brought(tmp_path / "to", a.parent).came == [tmp_path / "to" / "runs" / b.name]
    assert brought(tmp_path / "to", tmp_path / "to" / "runs" / b.name).there
    (tmp_path / "none" / "runs").mkdir(parents=True)
    assert not brought(tmp_path / "to", tmp_path / "none").came


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone", "gone is not there"),
        ("file", "file is no folder"),
        ("other", "other is neither a folder of results (it has no runs), nor one of runs, nor a"),
        ("to", "to is where its runs would be merged into"),
        ("to/runs", "runs is where its runs would be merged into"),
        ("link", "link is where its runs would be merged into"),
    ],
)
def test_what_is_no_source_is_refused_before_anything_comes(tmp_path, source, message):
    put(tmp_path / "a", record(seed=1))
    put(tmp_path / "to", record(seed=2))
    (tmp_path / "other" / "thing").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("to")
    with pytest.raises(UsageError) as error:
        brought(tmp_path / "to", tmp_path / "a", tmp_path / source)
    assert message in str(error.value) and len(found(tmp_path / "to")) == 1


@pytest.mark.parametrize("at", range(0, 14))
def test_a_merge_cut_short_leaves_whole_runs_and_is_repeated(tmp_path, monkeypatch, at):
    """Stopped at each file and rename in turn; a kill leaves what lies aside, an error does not."""
    for seed in range(2):
        put(tmp_path / "a", record(seed=seed))
    with monkeypatch.context() as patch:
        cut_short(patch, merging, at)
        if at % 2:
            patch.setattr(merging.shutil, "rmtree", lambda *_, **__: None)
        try:
            brought(tmp_path / "to", tmp_path / "a")
        except Killed:
            assert at < 12
        else:
            assert at >= 12
    for folder in (tmp_path / "to" / "runs").glob("[!.]*"):
        assert without_locks(tree(folder)) == without_locks(tree(tmp_path / "a/runs" / folder.name))
    brought(tmp_path / "to", tmp_path / "a")
    assert without_locks(tree(tmp_path / "to")) == without_locks(tree(tmp_path / "a"))


def test_a_full_disk_leaves_no_half_run(tmp_path, monkeypatch):
    put(tmp_path / "a", record())

    def full(source, target):
        target.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(merging.shutil, "copyfileobj", full)
        with pytest.raises(OSError, match="No space left"):
            brought(tmp_path / "to", tmp_path / "a")
    assert without_locks(tree(tmp_path / "to")) == {}


RUNS = [
    record(attention, seed, 0.3 + step / 100, step=step, identity=f"{attention}{seed}", **more)
    for attention in ("linear", "linear+gfsa")
    for seed in (0, 1)
    for step in (1.0, 2.0)
    for more in ({}, {"environment": OTHER})
] + [failure("linear", seed, identity=f"linear{seed}") for seed in (0, 1)]
shares = st.lists(st.sampled_from(range(len(RUNS))), max_size=8)


class Folders:
    """Results folders made up from lists of runs, all of whose folders want the same few names."""

    def __init__(self, root):
        self.root, self.count = Path(root), 0

    def new(self):
        self.count += 1
        (self.root / str(self.count) / "runs").mkdir(parents=True)
        return self.root / str(self.count)

    def of(self, share):
        results = self.new()
        for i, run in enumerate(share):
            put(
                results,
                RUNS[run],
                f"{RUNS[run].attention}-{RUNS[run].seed}{'~0123456' * (i > 0)}{i}",
            )
        return results

    def merged(self, *sources):
        results = self.new()
        brought(results, *sources)
        return results


def tables(results):
    """What tables are made of: the records, each once, in their order."""
    return once(found(results))


@settings(max_examples=12)
@given(shares=st.tuples(shares, shares, shares))
def test_merging_is_idempotent_commutative_and_associative(shares):
    with tempfile.TemporaryDirectory() as root:
        folders = Folders(root)
        a, b, c = map(folders.of, shares)
        ab = folders.merged(a, b)
        assert contents(ab) == contents(a) | contents(b)
        assert len(found(ab)) == len(contents(ab))
        before = tree(ab)
        assert not brought(ab, a, b).came
        assert tree(ab) == before
        ba = folders.merged(b, a)
        assert contents(ba) == contents(ab) and tables(ba) == tables(ab)
        left = folders.merged(ab, c)
        right = folders.merged(a, folders.merged(b, c))
        assert contents(left) == contents(right) and tables(left) == tables(right)
