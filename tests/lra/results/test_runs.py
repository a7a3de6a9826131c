import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from attention_zoo import UsageError
from lra.cli import main
from lra.results.comparable import once
from lra.results.reading import (
    disagreements,
    find_finished,
    find_run,
    read_records,
    run_folders,
    runs_on_record,
)
from lra.results.record import write_record
from lra.results.removal import own_run, remove
from tests.lra.test_results import failure, record

from .folders import found, put, tree, worked_on

A, B = "a1" + 14 * "0", "b2" + 14 * "0"


@pytest.fixture
def results(tmp_path):
    put(tmp_path, record("linear", identity=A), "listops-linear-quick-s0-a1000000")
    put(tmp_path, record("linear+gfsa", identity=B), "listops-linear+gfsa-quick-s0-b2000000")
    put(tmp_path, failure("softmax", identity=14 * "0" + "c3"), "listops-softmax-quick-s0")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "listops-linear-quick-s0-a1000000",
        "listops-linear-",
        "a1",
        A,
        "{results}/runs/listops-linear-quick-s0-a1000000",
    ],
)
def test_a_run_is_found_by_path_name_or_beginning(results, name):
    assert (
        find_run(name.format(results=results), results).name == "listops-linear-quick-s0-a1000000"
    )


def test_a_failure_is_a_run_and_no_finished_one(results):
    folder = results / "runs" / "listops-softmax-quick-s0"
    assert find_run("listops-softmax", results) == folder
    with pytest.raises(UsageError, match="no finished run, only the record of its failure"):
        find_finished("listops-softmax", results)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "listops-linear",
            "'listops-linear' is the beginning of 2 runs: listops-linear+gfsa-quick",
        ),
        ("", "no run ''"),
        ("zzz", "no run 'zzz' in "),
        ("quick", "no run 'quick'"),
        ("runs", "no run 'runs'"),
    ],
)
def test_what_names_no_run_or_several_is_refused_in_one_line(results, name, message):
    with pytest.raises(UsageError) as error:
        find_run(name, results)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_an_error_names_a_few_of_many_candidates(tmp_path):
    for seed in range(10):
        put(tmp_path, record(seed=seed))
    with pytest.raises(UsageError, match=r"the beginning of 10 runs: .* and 2 more"):
        find_run("linear", tmp_path)


def test_a_name_that_others_begin_with_is_still_found(results):
    put(results, record(identity=A, step=3.0), "listops-linear-quick-s0-a1000000~0123abcd")
    assert find_run("listops-linear-quick-s0-a1000000", results).name.endswith("a1000000")


def test_what_is_on_its_way_and_what_is_no_folder_is_no_run(results):
    (results / "runs" / "notes.txt").write_text("mine")
    (results / "runs" / "listops-linear-quick-s0-a1000000").rename(results / "runs" / ".x.aside")
    assert len(run_folders(results)) == len(found(results)) == 2
    assert list(read_records(results / "nowhere")) == []


def test_a_copied_run_counts_once_and_two_results_of_one_run_are_named(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    first = put(a, record(identity=A), "x")
    shutil.copytree(a, b)
    put(b, record("linear", 1, identity=B), "y")
    assert len(found([a, b])) == 2 and found([a]) == found(a)
    later = record(identity=A, accuracy=0.4, finished="2026-02-01T00:00:00+00:00")
    write_record(b / "runs" / "x", later)
    runs = list(runs_on_record([a, b]))
    assert [folder for folder, _ in runs] == [first, b / "runs" / "x", b / "runs" / "y"]
    (line,) = disagreements(runs)
    assert line.startswith(f"{first} and {b / 'runs' / 'x'} have different results of one run")
    assert once(record for _, record in runs) == [later, runs[2][1]]
    rounded = record(identity=A, test=replace(later.test, loss=1.9000001))
    assert not list(disagreements([(first, later), (b, rounded), (b, failure(identity=A))]))


def test_a_run_is_found_in_several_folders_and_of_copies_the_first(results, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(results / "runs", other / "runs")
    put(other, record(seed=5), "text-linear")
    both = [results, other]
    assert find_run("a1", both) == results / "runs" / "listops-linear-quick-s0-a1000000"
    assert find_run("text", both) == other / "runs" / "text-linear"
    with pytest.raises(UsageError, match=r"no run 'zzz' in .*runs, .*other/runs: neither"):
        find_run("zzz", both)


def test_removing_takes_a_run_and_nothing_else(results):
    before = tree(results)
    remove(results / "runs" / "listops-softmax-quick-s0", print)
    kept = {name: content for name, content in before.items() if "softmax" not in name}
    assert tree(results).keys() - {"runs/.lock"} == kept.keys()


def test_a_removal_that_was_cut_short_is_whole_and_the_next_clears_up(results, monkeypatch):
    def killed(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove(results / "runs" / "listops-softmax-quick-s0", print)
    assert len(found(results)) == 2
    assert (results / "runs" / ".listops-softmax-quick-s0.aside" / "failure.json").exists()
    remove(results / "runs" / "listops-linear-quick-s0-a1000000", print)
    assert len(found(results)) == 1 and not list(results.glob("runs/.*.aside"))


def test_a_run_that_a_process_works_on_is_not_removed(results):
    folder = results / "runs" / "listops-softmax-quick-s0"
    with worked_on(folder), pytest.raises(UsageError, match="is in use by another process; wait"):
        remove(folder, print)
    remove(folder, print)
    assert not folder.exists()


def placed(results, case):
    """A path that names no run of `results`, or one that holds more."""
    runs = results / "runs"
    mine = runs / "listops-softmax-quick-s0"
    if case in (".", ".."):  # the folders that hold the runs hold records, too
        for folder in (runs, results):
            write_record(folder, record())
        return case
    if case == "link":
        (results / "elsewhere").mkdir()
        (runs / "linked").symlink_to(mine.rename(results / "elsewhere" / "linked"))
        return runs / "linked"
    if case == "another folder":
        return put(results / "other", record(), "x")
    if case == "through a link":
        (runs / "through").symlink_to(put(results / "other", record(), "x").parent)
        return runs / "through" / "x"
    if case == "../x":
        put(results / "runs", record(), "x").rename(results / "x")
        return case
    path = mine / case
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(results / "runs") if path.name == "best.ckpt" else path.write_text("mine")
    return mine


ELSEWHERE = (".", "..", "link", "another folder", "through a link", "../x")
FOREIGN = ("notes.txt", "notes/a", "unfinished/notes.txt", "unfinished/tensorboard/x", "best.ckpt")


@pytest.mark.parametrize("case", [*ELSEWHERE, *FOREIGN])
def test_rm_takes_the_runs_of_its_results_alone(results, capsys, case):
    folder = placed(results, case)
    before = tree(results)
    words = ["results", "rm", "b2", str(folder), "--yes", "--results", str(results)]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    reason = "is a link" if case == "link" else "is not a run"
    assert reason in line and tree(results) == before


def test_all_that_a_run_may_leave_is_removed_with_it(results, monkeypatch):
    folder = put(results, record(), "whole")
    for name in ("unfinished", "finished", "tensorboard"):
        (folder / name).mkdir()
    left = ["finished/record.json", "finished/before.state", "tensorboard/hparams.yaml"]
    left += ["unfinished/journal.json", "unfinished/newest.state.new", ".record.json.12.partial"]
    for name in [
        *left,
        "unfinished/.newest.state.new.12.partial",
        "tensorboard/events.out.tfevents.1",
    ]:
        (folder / name).touch()
    link = results / "link"
    link.symlink_to(results)
    monkeypatch.chdir(results / "runs")
    remove(own_run(Path("whole"), link), print)
    assert not folder.exists()
