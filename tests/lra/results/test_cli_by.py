"""`table --by` and `figure --by` as a user types them."""

import csv
import io

import pytest

from lra.cli.main import main
from tests.lra.results.swept import ALL, LAYERS, put_analysed, swept


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for run in ALL:
        put_analysed(folder, run, *([0.25, 0.75] if "K=5" in run.attention else []))
    put_analysed(folder, swept("stranger+gfsa:K=2", 0, 0.3))
    return folder


def table(results, *words):
    return main(["table", *words, "--results", str(results)])


def test_a_table_by_an_option_with_distances_of_runs_that_were_analysed(results, capsys):
    assert table(results, "--by", "K") == 0
    out, err = capsys.readouterr()
    assert "**linear+gfsa by K, ListOps: protocol nystromformer**" in out
    row = next(line for line in out.splitlines() if line.startswith("|        5 |"))
    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["0.5", "0.5"]
    assert "Printed by `python run_lra.py table --by K --results DIR`." in out
    (line,) = err.splitlines()
    assert line.startswith("skipped: stranger+gfsa:K=2 is not registered here; --plugin MODULE")


def test_only_what_is_asked_for_is_in_it(results, capsys):
    words = ["--attn", "linear+gfsa:K={2,5},mode={taylor,power}"]
    assert table(results, "--by", "K", *words, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["value"] for row in rows] == ["2", "2", "5", "5"]
    assert [row["distance"] for row in rows] == ["", "", "0.5", "0.5"]
    assert table(results, "accuracy", "--attn", "linear{,+gfsa}") == 0
    out, _ = capsys.readouterr()
    assert "performer" not in out and "table accuracy --attn linear linear+gfsa --results" in out
    assert table(results, "--attn", "linear+gfsa:K=7") == 2
    assert "unknown attention on record 'linear+gfsa:K=7'" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["K", "layers"])
def test_a_figure_by_an_option(results, tmp_path, capsys, option):
    words = ["--by", option, "--results", str(results), "--out", str(tmp_path)]
    assert main(["figure", *words]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert sorted(printed) == sorted(str(path) for path in tmp_path.iterdir())
    assert [line.rpartition(".")[2] for line in printed] == ["png", "svg", "pdf"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("table --by k", "unknown option of the attentions on record 'k'; did you mean 'K'"),
        ("figure --by k", "unknown option of the attentions on record 'k'; did you mean 'K'"),
        ("table --by w0", "no two attentions on record differ in w0 alone, which is 0.0; "),
        ("table accuracy --by K", "--by makes a table of its own: leave out accuracy"),
        ("table --by K --published", "--by makes a table of its own: leave out --published"),
        ("figure bubble --by K", "--by makes a figure of its own: leave out bubble"),
        ("figure", "name a figure: bubble, tasks, curves, growth, "),
        ("figure --by K --task text", "nothing to draw: no runs with a result of that --task"),
        ("table --by K --task text", "no runs on record of text"),
        ("table --by", "argument --by: expected one argument"),
    ],
)
def test_mistakes_are_one_line(results, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main([*words.split(), "--results", str(results)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_analysis_is_named_and_the_table_printed(tmp_path, capsys):
    for run in LAYERS:
        folder = put_analysed(tmp_path, run, 0.5)
    (folder / "analysis.json").write_text("{")
    assert table(tmp_path, "--by", "layers") == 0
    out, err = capsys.readouterr()
    assert out.count("0.5 |") == 1 and "analysis.json: Invalid JSON" in err
