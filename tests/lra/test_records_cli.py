import io
import sys
from dataclasses import asdict, replace

import pytest

from lra.cli import main
from lra.cli.options import PROGRAM
from lra.protocols import get_protocol, override
from lra.results.reading import read_records
from lra.results.record import read_record

from .results.folders import put
from .test_results import PART, failure, record

HEAD = "step,train.loss,train.accuracy,val.loss,val.accuracy\n"


@pytest.fixture
def results(tmp_path):
    protocol, modified = override(get_protocol("quick", "listops"), ["training.steps=1000"])
    weights = replace(record().filters, initial=[[{"w0": [0.0]}]], learned=[[{"w0": [0.125]}]])
    given = {"protocol": protocol, "modified": modified, "filters": weights}
    folder = put(tmp_path, record("linear+gfsa", 1, 0.4, identity="b" * 16, **given), "gfsa")
    (folder / "metrics.csv").write_text(HEAD + "9,2.5,0.25,,\n19,,,1.5,0.375\n")
    put(tmp_path, record("linear", 1, identity="a" * 16), "linear")
    put(tmp_path, failure("softmax", 0), "softmax")
    (put(tmp_path, record(seed=9), "damaged") / "record.json").write_text("{")
    return tmp_path


def run(capsys, *words):
    status = main(["results", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


def rows(text):
    table = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[2:]]


def test_results_alone_prints_what_there_is(capsys):
    status, out, _ = run(capsys)
    assert status == 2 and out.startswith(f"usage: {PROGRAM} results")
    assert all(word in out for word in ("list", "show", "rm"))


def test_list_has_a_line_a_run_and_names_what_is_damaged(results, capsys):
    status, out, err = run(capsys, "list", "--results", results)
    assert status == 0 and [row[0] for row in rows(out)] == ["gfsa", "linear", "softmax"]
    assert rows(out)[0] == [
        *("gfsa", "linear+gfsa", "listops", "1", "40.00", "100", "500", "quick modified"),
        *("generated", "Some CPU", "2026-01-01 00:00", "learned"),
    ]
    assert rows(out)[2][4] == "–" and rows(out)[2][-1] == "out of memory"
    assert err.startswith("skipped: ") and "damaged" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--attn linear", ["linear"]),
        ("--attn linear+gfsa:K=3 softmax", ["gfsa", "softmax"]),
        ("--seed 1 --protocol nystromformer", ["linear"]),
        ("--task listops --seed 0", ["softmax"]),
    ],
)
def test_list_takes_what_is_asked_for(results, capsys, words, found):
    _, out, _ = run(capsys, "list", "--results", results, *words.split())
    assert [row[0] for row in rows(out)] == found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("list --attn linea", "unknown attention on record 'linea'; did you mean 'linear'?"),
        ("list --task text", "unknown task on record 'text' (choose from listops)"),
        ("list --seed 7", "unknown seed on record '7' (choose from 0, 1)"),
        ("show gfs linear", "unrecognized arguments: linear"),
        ("show nothing", "no run 'nothing' in "),
        ("show damaged", "record.json: Invalid JSON"),
        ("rm nothing --yes", "no run 'nothing' in "),
        ("rm linear", "rm asks before it deletes, and there is no terminal: add --yes"),
        ("lists", "invalid choice: 'lists'"),
    ],
)
def test_mistakes_are_one_line(results, capsys, monkeypatch, words, message):
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    status, _, err = run(capsys, *words.split(), "--results", results)
    assert status == 2 and message in err.splitlines()[-1]
    assert len(list(read_records(results))) == 4


def test_an_empty_folder_has_no_runs_to_list(tmp_path, capsys):
    status, _, err = run(capsys, "list", "--results", tmp_path)
    assert status == 2 and f"no runs on record under {tmp_path / 'runs'}" in err


def test_show_says_everything_that_is_on_record(results, capsys):
    status, out, _ = run(capsys, "show", "bbbb", "--results", results)
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        f"folder {results / 'runs' / 'gfsa'}",
        "test 40.00 % (standard error 1.10), loss 1.9000, 2,000 examples",
        "part 1 from step 0, 1 × Some CPU, 2 threads, torch 2.13.0, commit " + "a" * 40,
        "step ms 100 (99–101)",
        "allocator peak GB 0.5",
        "training.steps 1000 (left the protocol)",
        "training.batch 32",
        "layer 1, filter 1 w0 0 → 0.125",
        "19 1.5 0.375",
        "python run_lra.py",
    ):
        assert line in lines
    content = asdict(read_record(results / "runs" / "gfsa" / "record.json"))
    assert content["environment"].keys() <= {line.split(" ")[0] for line in lines}
    for section in ("task", "model", "training"):
        assert all(f"{section}.{key} " in out for key in content["protocol"][section])


def test_show_numbers_the_parts_of_a_training_that_begin_alike(tmp_path, capsys):
    parts = [PART, replace(PART, device="Other CPU"), replace(PART, start=50)]
    whole = record(identity="a" * 16)
    put(tmp_path, replace(whole, training=replace(whole.training, parts=parts)), "linear")
    _, out, _ = run(capsys, "show", "linear", "--results", tmp_path)
    lines = [" ".join(line.split()).partition(" × ") for line in out.splitlines()]
    found = [(head, tail.partition(",")[0]) for head, _, tail in lines if head.startswith("part ")]
    assert found == [
        ("part 1 from step 0, 1", "Some CPU"),
        ("part 2 from step 0, 1", "Other CPU"),
        ("part 3 from step 50, 1", "Some CPU"),
    ]


def test_show_of_a_failure_says_why(results, capsys):
    _, out, _ = run(capsys, "show", "softmax", "--results", results)
    assert "out of memory" in out and "it was too large" in out and "learning curve" not in out


def test_show_json_is_the_record(results, capsys):
    _, out, _ = run(capsys, "show", "linear", "--json", "--results", results)
    (results / "runs" / "linear" / "record.json").write_text(out)
    assert read_record(results / "runs" / "linear" / "record.json") == record(
        "linear", 1, identity="a" * 16
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "left"), [("y\n", 2), ("\n", 4), ("", 4), ("no\n", 4)])
def test_rm_says_what_goes_and_asks(results, capsys, monkeypatch, answer, left):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    status, out, err = run(capsys, "rm", "linear", "aaaa", "damaged", "--results", results)
    assert "delete 2 runs? [y/N]" in out and len(list(read_records(results))) == left
    assert f"{results / 'runs' / 'linear'}: 5 files, 0.0 MB" in err
    assert status == (left == 4) and ("deleted 2 runs" in err) == (left == 2)


def test_rm_in_scripts_needs_a_word(results, capsys):
    status, _, err = run(capsys, "rm", "linear", "--yes", "--results", results)
    assert status == 0 and "deleted 1 run" in err
    assert not (results / "runs" / "linear").exists()
