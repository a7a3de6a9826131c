"""`table` as a user types it."""

import pytest

from lra.cli.main import main
from lra.results.record import write_record

from .golden import DROPPED, RECORDS, run


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    put(folder, RECORDS)
    (folder / "runs" / "damaged").mkdir()
    (folder / "runs" / "damaged" / "record.json").write_text("{")
    return folder


def put(folder, records):
    for i, record in enumerate(records):
        (folder / "runs" / f"{i:03}").mkdir(parents=True)
        write_record(folder / "runs" / f"{i:03}", record)


def table(results, *words, more=()):
    return main(["table", *words, "--results", *map(str, [results, *more])])


def test_by_default_all_kinds_that_have_rows_are_printed(results, capsys):
    assert table(results) == 0
    out, err = capsys.readouterr()
    for title in ("Test accuracy, %:", "With a filter against without:", "Cost of training,"):
        assert f"**{title}" in out
    assert "skipped: " in err and "damaged" in err
    assert table(results, "accuracy", "--task", "image") == 0
    out, _ = capsys.readouterr()
    assert "Image" in out and "ListOps" not in out and "Cost" not in out


def test_several_folders_are_one_and_a_copied_run_counts_once(results, tmp_path, capsys):
    put(tmp_path, RECORDS[:2])
    assert table(results, "accuracy") == 0
    once, _ = capsys.readouterr()
    assert table(results, "accuracy", more=[tmp_path]) == 0
    assert capsys.readouterr().out.replace("DIR DIR", "DIR") == once
    assert table(results, "accuracy", more=[tmp_path / "nowhere"]) == 2
    assert "nowhere: there is no such folder" in capsys.readouterr().err


def test_a_footers_command_names_no_folder_of_this_machine(results, capsys):
    assert table(results, "pairs", "--task", "listops") == 0
    out, _ = capsys.readouterr()
    assert "`python run_lra.py table pairs --task listops --results DIR`" in out
    assert str(results) not in out


@pytest.mark.parametrize(
    ("style", "start"), [("latex", r"\begin{table}"), ("html", "<figure"), ("csv", "task,")]
)
def test_each_format_goes_to_a_file(results, tmp_path, capsys, style, start):
    out = tmp_path / "table"
    assert table(results, "cost", "--format", style, "--out", str(out)) == 0
    assert out.read_text().startswith(start) and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "csv"), "CSV is one kind of table a file"),
        (("costs",), "unknown table 'costs'; did you mean 'cost'?"),
        (("pairs", "--task", "text", "listop"), "did you mean 'listops'?"),
        (("--task", "pathx"), "no runs on record of pathx under"),
        (("--format", "pdf"), "invalid choice"),
        (("cost", "--out", "/nowhere/at/all"), "there is no folder /nowhere/at"),
    ],
)
def test_mistakes_are_one_line(results, capsys, words, message):
    assert table(results, *words) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err.splitlines()[-1]


def test_pairs_without_a_filter_on_record_are_named(tmp_path, capsys):
    put(tmp_path, RECORDS[:1])
    assert table(tmp_path, "pairs") == 2
    assert "nothing on record for pairs" in capsys.readouterr().err
    assert table(tmp_path) == 0
    assert "With a filter" not in capsys.readouterr().out


def test_published_figures_stand_beside_ours_or_a_line_says_why_not(results, tmp_path, capsys):
    assert table(results, "--published") == 0
    out, err = capsys.readouterr()
    assert "Self-attention: Chen et al. 2021, Table 1" in out and "Cost of" not in out
    assert "Text: ours is sample data, theirs official" in err
    put(tmp_path, [run("listops", "softmax", 0, 0.38, **DROPPED | {"source": "generated"})])
    assert table(tmp_path, "--published") == 0
    out, _ = capsys.readouterr()
    assert out.splitlines() == [
        "nothing on record may stand beside published figures",
        "ListOps: ours is generated data, theirs official",
    ]
    assert table(tmp_path, "accuracy", "--published") == 0
    assert "**Test accuracy, %: protocol skyformer**" in capsys.readouterr().out
