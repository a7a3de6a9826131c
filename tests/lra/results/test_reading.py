"""What `table`, `figure`, `report` and `results list` read alike."""

import pytest

from attention_zoo import UsageError
from lra.cli.main import main
from lra.cli.reading import of_tasks, on_record, read_sheets, spellings
from lra.measure.sheet import write_sheet
from lra.protocols import get_protocol
from lra.results.curves import Point
from lra.results.numbers import figure
from lra.results.reading import read_runs
from lra.results.record import write_record
from lra.results.tables.runs import UNKNOWN, family
from tests.lra.results.figures.test_growth import LINEAR, sheet
from tests.lra.test_results import RUNS, record

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
    (found,) = on_record([results])
    assert found[0].parent == results / "runs" and found[1] == RUNS[0]
    assert "damaged" in capsys.readouterr().err and on_record([results], ["text"]) == []


def test_measurements_are_those_named_else_those_of_the_results(results, capsys):
    folder = results / "measurements"
    sheets = read_sheets([results], None)
    assert [found.settings.task for found in sheets] == ["listops", "text"]
    assert "skipped: " in capsys.readouterr().err
    (named,) = read_sheets([results], [folder / "text.json"])
    assert named == sheets[1] and of_tasks(sheets, None) == sheets
    alone = sheet(*LINEAR)
    assert of_tasks([*sheets, alone], ["text"]) == [sheets[1], alone]
    with pytest.raises(UsageError, match=r"damaged\.json"):
        read_sheets([results], [folder / "damaged.json"])


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
    title = "Level step: batch 1, 8 heads of 64, {}, protocol quick"
    assert all(title.format(task) in pages[()] for task in ("listops", "text"))
    chosen = pages["--task", "listops"]
    assert title.format("listops") in chosen and title.format("text") not in chosen


def test_an_attention_is_known_by_any_of_its_spellings():
    known = {"linear", "linear+gfsa", "nystrom", "nystrom:conv=0,landmarks=128", "unheard-of:x=1"}
    under = [get_protocol("skyformer", "text"), get_protocol("quick", "listops")]
    assert spellings("linear+gfsa:K=3", known, under) == {"linear+gfsa"}
    assert spellings("nystrom", known, under) == {"nystrom", "nystrom:conv=0,landmarks=128"}
    assert spellings("nystrom", known, ()) == spellings("nystrom:conv=35", known, ()) == {"nystrom"}
    assert spellings("unheard-of:x=1", known, under) == {"unheard-of:x=1"}
    assert spellings("a stranger's", known, under) == {"a stranger's"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (99.97, "100"), (1024.0, "1,024"), (-2.5, "−2.5"), (None, "–")],
)
def test_numbers_read_alike_everywhere(value, text):
    assert figure(value) == text


def test_an_attention_that_is_not_installed_has_no_family():
    assert family("linear+gfsa") == family("linear") not in (UNKNOWN, family("nystrom"))
    assert family("theirs+gfsa") == UNKNOWN


def test_runs_are_read_with_their_curves_and_damage_is_named_without_the_folder(tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    write_record(tmp_path / "runs/one", RUNS[0])
    write_record(tmp_path / "runs/two", record(task="text", identity="text"))
    (tmp_path / "runs/three/record.json").write_text("{")
    (tmp_path / "runs/one/metrics.csv").write_text(
        "step,train.loss,train.accuracy,val.loss,val.accuracy\n10,2.0,0.5,,\n"
    )
    found, damaged = read_runs(tmp_path)
    assert [one.name for one in found] == ["one", "two"]
    assert found[0].curve.points == (Point(10, 2.0, 0.5, None, None),)
    assert found[1].curve.missing == "metrics.csv: No such file or directory"
    assert len(damaged) == 1 and damaged[0].startswith("runs/three/record.json: ")
    assert [one.name for one in read_runs(tmp_path, ["text"])[0]] == ["two"]
