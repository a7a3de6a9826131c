"""Braces in specs, wherever the command line takes specs."""

import pytest

from lra.cli import check, figure, main, measure, run
from lra.cli.measure.jobs import jobs_of
from lra.grid.plan import plan
from lra.results.record import write_record
from tests.lra.test_results import RUNS

LISTOPS = ["--task", "listops", "--protocol", "quick"]
K = [f"linear+gfsa{options}" for options in (":K=2", ":K=2,mode=power", "", ":mode=power")]


def planned(*words):
    return [str(one.attention) for one in plan(run.parser().parse_args(list(words)), print)]


def test_a_grid_is_every_combination_once():
    words = [*LISTOPS, "--attn", "linear{,+gfsa:K={2..3},mode={taylor,power}}"]
    assert main(["--dry-run", *words]) == 2  # nested
    words[-1:] = ["linear", "linear+gfsa:K={2..3},mode={taylor,power}", "linear+gfsa:K={3,2,3}"]
    assert planned(*words) == ["linear", *K]
    assert planned(*LISTOPS, "--attn", "linear", *K) == ["linear", *K]


def test_a_grids_file_takes_them(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text('task = "listops"\nprotocol = "quick"\nattn = ["{linear,relu}+gfsa:K={2,3}"]')
    found = ["linear+gfsa:K=2", "linear+gfsa", "relu+gfsa:K=2", "relu+gfsa"]
    assert planned("--grid", str(path)) == found


def test_measure_check_and_figure_take_them():
    words = ["--attn", "linear+gfsa:K={2,3},mode={taylor,power}", "--seq-len", "64"]
    jobs, _ = jobs_of(measure.parser().parse_args(words))
    assert [job.attention for job in jobs] == K
    assert check.parser().parse_args(["{linear,relu}"]).attentions == ["linear", "relu"]
    words = ["tasks", "--attn", "linear{,+gfsa}"]
    assert figure.parser().parse_args(words).attn == ["linear", "linear+gfsa"]


def test_check_has_a_verdict_for_each_and_runs_none_where_one_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr(check, "check", lambda spec: print(f"checked {spec}") or spec == "relu")
    assert main(["check", "{linear,relu,linear}"]) == 1
    assert capsys.readouterr().out == "checked linear\n\nchecked relu\n"
    assert main(["check", "{linear,rleu}"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "did you mean 'relu'" in err


def test_the_list_of_runs_is_chosen_by_them(tmp_path, capsys):
    for i, record in enumerate(RUNS):
        folder = tmp_path / "runs" / str(i)
        folder.mkdir(parents=True)
        write_record(folder, record)
    words = ["results", "list", "--results", str(tmp_path), "--attn"]
    assert main([*words, "linear{,+gfsa}"]) == 0
    assert capsys.readouterr().out.count("| listops |") == len(RUNS)
    assert main([*words, "linear+gfsa:K={2,3}"]) == 2
    assert "unknown attention on record 'linear+gfsa:K=2'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [LISTOPS, ["measure"]])
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("linear+gfsa:K={2,3", "unbalanced braces"),
        ("linear+gfsa:K={}", "empty braces"),
        ("linear,relu", "put names in braces: {linear,relu}"),
        ("linear+gfsa:K={2,three}", "gfsa: K: expected an integer, got 'three'"),
        ("linear+gfsa:K=2,3", "several values of K are K={a,b}"),
    ],
)
def test_a_mistake_is_one_line(command, spec, message, capsys):
    assert main([*command, "--attn", spec]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err
