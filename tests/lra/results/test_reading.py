"""What `table`, `figure`, `report` and `results list` read alike."""

import pytest

from attention_zoo import UsageError
from lra.cli.main import main
from lra.cli.reading import canonical, of_tasks, on_record, read_sheets
from lra.measure.sheet import write_sheet
from lra.results.numbers import figure
from tests.lra.results.figures.test_growth import LINEAR, sheet
from tests.lra.test_results import RUNS

from .folders import put


@pytest.fixture
def results(tmp_path):
    put(tmp_path, RUNS[0])
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "record.json").write_text("{")
    folder = tmp_path / "measurements"
    folder.mkdir()
    for task in ("listops", "text"):
        step = {"level": "step", "task": task, "protocol": "quick", "modified": {}}
        write_sheet(folder / f"{task}.json", sheet(*LINEAR, **step))
    (folder / "damaged.json").write_text("{")
    return tmp_path


def test_runs_come_with_their_folders_and_what_is_damaged_is_named(results, capsys):
    (found,) = on_record(results)
    assert found[0].parent == results / "runs" and found[1] == RUNS[0]
    assert "damaged" in capsys.readouterr().err and on_record(results, ["text"]) == []


def test_measurements_are_those_named_else_those_of_the_results(results, capsys):
    folder = results / "measurements"
    sheets = read_sheets(results, None)
    assert [found.settings.task for found in sheets] == ["listops", "text"]
    assert "skipped: " in capsys.readouterr().err
    (named,) = read_sheets(results, [folder / "text.json"])
    assert named == sheets[1] and of_tasks(sheets, None) == sheets
    alone = sheet(*LINEAR)
    assert of_tasks([*sheets, alone], ["text"]) == [sheets[1], alone]
    with pytest.raises(UsageError, match=r"damaged\.json"):
        read_sheets(results, [folder / "damaged.json"])


@pytest.mark.parametrize("command", ["report", "table"])
def test_where_a_task_has_no_runs_its_own_are_asked_for(results, capsys, command):
    out = ["--out", str(results / "out")]
    assert main([command, "--task", "retrieval", "--results", str(results), *out]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"no runs on record of retrieval under {results / 'runs'}; " in error
    assert "--task retrieval --attn linear` makes one" in error


def test_the_report_finds_the_measurements_of_its_task(results):
    pages = {}
    for words in ((), ("--task", "listops")):
        assert main(["report", *words, "--results", str(results), "--out", str(results)]) == 0
        pages[words] = (results / "index.html").read_text()
    title = "Training step of the model on {}, protocol quick"
    assert all(title.format(task) in pages[()] for task in ("listops", "text"))
    chosen = pages["--task", "listops"]
    assert title.format("listops") in chosen and title.format("text") not in chosen


def test_an_attention_is_known_by_any_of_its_spellings():
    assert canonical("linear", {"linear"}) == "linear"
    assert canonical("linear+gfsa:K=3", ()) == "linear+gfsa"
    assert canonical("a stranger's", {"linear"}) == "a stranger's"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (99.97, "100"), (1024.0, "1,024"), (-2.5, "−2.5"), (None, "–")],
)
def test_numbers_read_alike_everywhere(value, text):
    assert figure(value) == text
