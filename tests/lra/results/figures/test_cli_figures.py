import subprocess
import sys

import pytest

from lra.cli.main import main
from lra.measure.sheet import write_sheet
from lra.results.record import write_record
from tests.lra.results.figures.test_growth import LINEAR, sheet
from tests.lra.test_results import RUNS, record


@pytest.fixture
def results(tmp_path):
    for i, run in enumerate([*RUNS, record("relu", 0, 0.3)]):
        folder = tmp_path / "runs" / str(i)
        folder.mkdir(parents=True)
        write_record(folder, run)
    rows = "10,2.0,0.2,,\n20,1.9,0.3,1.8,0.25\n"
    text = f"step,train.loss,train.accuracy,val.loss,val.accuracy\n{rows}"
    (tmp_path / "runs" / "0" / "metrics.csv").write_text(text)
    write_sheet(tmp_path / "measurements" / "a.json", sheet(*LINEAR))
    return tmp_path


def figure(results, *words):
    return main(["figure", *words, "--results", str(results), "--out", str(results / "out")])


@pytest.mark.parametrize("kind", ["bubble", "growth", "curves", "tasks"])
def test_each_kind_prints_the_files_that_it_wrote(results, capsys, kind):
    assert figure(results, kind) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.rpartition(".")[2] for line in printed] == ["png", "svg", "pdf"]
    assert sorted(printed) == sorted(str(path) for path in (results / "out").iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "bubble --task text",
            "nothing to draw: no measured runs with a result of that --task and --attn",
        ),
        ("curves --attn relu", "nothing to draw: no runs with a learning curve of that"),
        ("growth --attn relu", "nothing to draw: no measured rows with figures of that"),
        ("bubble --task listop", "did you mean 'listops'"),
        ("bubble --attn linaer", "did you mean 'linear'"),
        ("pie", "invalid choice: 'pie'"),
        ("growth --measurements nothing.json", "nothing.json: No such file"),
    ],
)
def test_mistakes_are_one_line(results, capsys, words, message):
    assert figure(results, *words.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1] and not (results / "out").exists()


def test_asked_attentions_alone_are_drawn_and_looks_stay(results, monkeypatch):
    from lra.results.figures import paper

    seen = []
    monkeypatch.setattr(paper, "draw", lambda chart, looks: seen.append((chart, looks)))
    monkeypatch.setattr(paper, "save", lambda *_: [])
    assert figure(results, "bubble") == figure(results, "bubble", "--attn", "relu") == 0
    assert [len(chart.numbers) for chart, _ in seen] == [3, 1]
    assert seen[0][1]["relu"] == seen[1][1]["relu"]


def test_damaged_runs_are_named_and_skipped(results, capsys):
    (results / "runs" / "1" / "record.json").write_text("{")
    assert figure(results, "tasks") == 0
    assert "skipped: " in capsys.readouterr().err


def test_without_matplotlib_one_line_names_the_extra(results):
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from lra.cli.main import main\n"
        f"sys.exit(main(['figure', 'bubble', '--results', {str(results)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "run_lra.py: error: figures need matplotlib, which is not installed: "
        "pip install -e '.[report]'"
    ]
