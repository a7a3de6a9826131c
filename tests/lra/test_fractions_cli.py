"""`--train-fraction` as a user types it."""

import json
import shlex

import numpy as np
import pytest

from lra.cli import main
from lra.config import Place
from lra.run.run import Teller, run
from lra.training import fit

from .tiny import SETTINGS, config, store

TINY = ["--task", "listops", "--protocol", "quick", "--set", *SETTINGS]


@pytest.fixture
def folders(tmp_path):
    return ["--results", str(tmp_path), "--data-dir", str(store().path.parent.parent)]


def records(tmp_path):
    return {
        record["data"]["train_fraction"]: record
        for path in (tmp_path / "runs").glob("*/record.json")
        for record in [json.loads(path.read_text())]
    }


def test_a_grid_of_fractions_from_nothing_to_a_table(tmp_path, folders, capsys):
    grid = tmp_path / "grid.toml"
    grid.write_text('attn = "linear"\ntrain-fraction = [0.1, 1]\n')
    asked = [*TINY, "--grid", str(grid), "--no-measure", *folders]
    assert main([*asked, "--dry-run"]) == 0
    listed = capsys.readouterr().out
    assert "listops linear seed 0 train fraction 0.1 | to run" in listed
    assert "train fraction 1 " in listed and "-quick-f0.1-s0-" in listed

    assert main(asked) == 0
    out = capsys.readouterr().out
    assert out.count("**Test accuracy, %: ") == 2
    assert out.count("trained on 10 % of the training split**") == 1
    assert "| attention        |   10 % |   100 % |" in out
    found = records(tmp_path)
    assert set(found) == {0.1, 1.0}
    assert found[0.1]["test"]["count"] == found[1.0]["test"]["count"] == 50

    words = shlex.split(found[0.1]["command"])
    assert main([*words[2:], "--no-measure", *folders]) == 0
    assert ": on record, " in capsys.readouterr().err
    assert main(["results", "show", "listops-linear-quick-f0.1", *folders[:2]]) == 0
    shown = capsys.readouterr().out
    assert "train_fraction  0.1" in shown and "--train-fraction 0.1" in shown
    run = ["evaluate", "listops-linear-quick-f0.1", *folders]
    assert main([*run]) == 0 and "the same as on record" in capsys.readouterr().out
    assert main([*run, "--split", "train"]) == 0 and " 20 examples" in capsys.readouterr().out


def test_what_is_trained_on_is_the_part(tmp_path, folders, monkeypatch):
    seen = []
    batches = fit.training_batches

    def watched(split, stream, padding):
        seen.append(np.array([int(stream.size), len(split), *split.members[:, 0]]))
        return batches(split, stream, padding)

    monkeypatch.setattr(fit, "training_batches", watched)
    silent = Teller(say=lambda line: None, report=lambda report: None)
    place = Place(tmp_path, store().path.parent.parent)
    runs = [
        run(config(spec, seed, train_fraction=0.5), place, silent, measure=False)
        for spec, seed in (("linear", 0), ("linear", 3), ("softmax", 0))
    ]
    assert [one.data.train_fraction for one in runs] == [0.5] * 3
    assert seen[0][:2].tolist() == [100, 100]
    assert all((seen[0] == other).all() for other in seen[1:])
    assert all(np.isin(seen[0][2:], store().splits["train"].members))


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        ("0.50001", "must have at most 4 decimals"),
        *((text, "must be a number above 0 and at most 1") for text in ("0", "1.5", "nan", "x")),
        ("0.03", "keeps 6 of 200 training examples, fewer than training.batch=8: use 0.04 or more"),
        ("0.04", "keeps 8 of 200 training examples, none of label 2, 7: use 0.05 or more"),
    ],
)
def test_a_fraction_that_cannot_be_is_one_line(folders, capsys, fraction, said):
    assert main([*TINY, "--attn", "linear", "--train-fraction", fraction, *folders]) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if "generated data" not in line]
    assert out == "" and len(lines) == 1 and said in lines[0]
