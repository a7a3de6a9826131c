import pytest

from attention_zoo import UsageError
from lra.evaluate import find_finished
from lra.results import runs
from lra.results.record import read_records, run_folders
from lra.results.runs import find_run, remove
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


def test_removing_takes_a_run_and_nothing_else(results):
    before = tree(results)
    remove(results / "runs" / "listops-softmax-quick-s0", print)
    kept = {name: content for name, content in before.items() if "softmax" not in name}
    assert tree(results).keys() - {"runs/.lock"} == kept.keys()


def test_a_removal_that_was_cut_short_is_whole_and_the_next_clears_up(results, monkeypatch):
    def killed(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.shutil, "rmtree", killed)
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


def test_a_link_to_a_run_is_removed_and_the_run_stays(results, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (results / "runs" / "listops-softmax-quick-s0").rename(elsewhere)
    link = results / "runs" / "linked"
    link.symlink_to(elsewhere)
    remove(link, print)
    assert not link.is_symlink() and (elsewhere / "failure.json").exists()
