"""Which name a merged run gets, and what changes while it is looked at."""

import errno
import os

import pytest

from lra.results import merge as merging
from lra.results import runs
from lra.results.comparable import once
from lra.results.runs import remove
from tests.lra.test_results import failure, record

from .folders import Killed, contents, cut_short, found, put, tree, worked_on
from .test_merge import brought

LOST, WON = failure("linear", identity="i"), record("linear", identity="i")


@pytest.fixture
def folders(tmp_path):
    """Here a run failed that has a result there."""
    put(tmp_path / "to", LOST, "x")
    put(tmp_path / "a", WON, "x")
    return tmp_path / "to", tmp_path / "a"


def names(results):
    return sorted(path.name for path in (results / "runs").glob("[!.]*"))


def test_a_result_takes_the_name_of_a_failure(folders):
    """A grid looks for it there, and would train it again."""
    to, a = folders
    assert brought(to, a).came == [to / "runs" / "x"]
    plain, beside = names(to)
    assert plain == "x" and beside.startswith("x~") and found(to) == [WON, LOST]
    assert tree(to / "runs" / beside)["log.txt"] == b"log of i\n"
    before = tree(to)
    assert not brought(to, a).came and tree(to).keys() == before.keys()
    assert once(found(to)) == [WON]


def test_a_failure_that_came_in_the_same_merge_makes_way_and_is_named_where_it_is(tmp_path):
    put(tmp_path / "a", LOST, "x")
    put(tmp_path / "b", WON, "x")
    merged = brought(tmp_path / "to", tmp_path / "a", tmp_path / "b", tmp_path / "a")
    (moved, plain), (again,) = merged.came, merged.there
    assert moved.name.startswith("x~") and plain.name == "x" and again == moved
    assert found(tmp_path / "to") == [WON, LOST]


def test_another_failure_does_not_take_the_name(folders):
    to, _ = folders
    (place,) = brought(to, put(to.parent / "b", failure(kind="error", identity="i"), "x")).came
    assert place.name.startswith("x~") and found(to)[0] == LOST


@pytest.mark.parametrize("how", ["unfinished", "worked on", "damaged", "in its way"])
def test_a_failure_that_is_not_idle_whole_and_done_keeps_its_name(folders, how):
    to, a = folders
    mine = to / "runs" / "x"
    if how == "unfinished":
        (mine / "unfinished").mkdir()
    elif how == "damaged":
        (mine / "failure.json").write_text("{")
    elif how == "in its way":
        put(to, record(seed=5), f"x~{merging._key(mine)[:8]}")
    if how == "worked on":
        with worked_on(mine):
            (place,) = brought(to, a).came
    else:
        (place,) = brought(to, a).came
    assert place.name.startswith("x~") and (mine / "failure.json").exists()
    assert (place / "record.json").exists() and not brought(to, a).came


@pytest.mark.parametrize("at", range(8))
def test_making_way_cut_short_loses_nothing_and_is_repeated(folders, monkeypatch, at):
    to, a = folders
    with monkeypatch.context() as patch:
        cut_short(patch, merging, at)
        patch.setattr(merging.shutil, "rmtree", lambda *_, **__: None)
        if at < 7:
            with pytest.raises(Killed):
                brought(to, a)
        else:
            brought(to, a)
    assert LOST in found(to)
    brought(to, a)
    assert found(to) == [WON, LOST] and names(to)[0] == "x" and len(names(to)) == 2
    assert not list((to / "runs").glob(".*.aside"))


def test_a_run_that_changes_while_it_is_copied_is_left_for_the_next_merge(folders, monkeypatch):
    to, a = folders
    before = contents(to)
    newer = record("linear", identity="i", finished="2027-01-01")

    def changed(folder):
        yield from files(folder)
        merging.shutil.rmtree(folder)
        put(a, newer, "x")

    files = merging._files
    with monkeypatch.context() as patch:
        patch.setattr(merging, "_files", changed)
        (line,) = brought(to, a).skipped
    assert line.endswith("it changed while it was copied; merge again") and contents(to) == before
    assert brought(to, a).came and found(to)[0] == newer


def test_a_run_that_a_process_takes_up_while_it_is_copied_is_left(folders, monkeypatch):
    to, a = folders

    def taken(folder):
        with worked_on(folder):
            yield from files(folder)
            monkeypatch.setattr(merging, "is_locked", lambda path: True)

    files = merging._files
    monkeypatch.setattr(merging, "_files", taken)
    (line,) = brought(to, a).skipped
    assert "a process is working on it" in line and found(to) == [LOST]


def test_a_folder_of_a_run_that_cannot_be_read_is_named(folders, monkeypatch):
    to, a = folders
    hidden = a / "runs" / "x" / "tensorboard"
    hidden.mkdir()

    def scandir(path):
        if str(path) == str(hidden):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    listed = os.scandir
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        (line,) = brought(to, a).skipped
    assert line.endswith("x: tensorboard: Permission denied") and found(to) == [LOST]


def test_a_run_is_removed_under_its_lock(folders, monkeypatch):
    """Nobody can take it up between the look and the rename."""
    folder = folders[0] / "runs" / "x"
    seen = []

    def rename(*arguments):
        seen.append(runs.is_locked(folder / ".lock"))
        renamed(*arguments)

    renamed = os.rename
    monkeypatch.setattr(runs.os, "rename", rename)
    remove(folder, print)
    assert seen == [True] and not folder.exists()
