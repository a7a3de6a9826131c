"""`evaluate --corruption` as a user types it, on made-up images; the package's own part is in
test_corruptions.py, and stands aside here."""

import json
import shutil

import pytest

from lra.cli import main
from lra.corruptions import CORRUPTIONS, evaluate, images
from lra.evaluate import Finished
from lra.results.removal import own_run

SMALL = [
    *("task.train=50", "task.val=10", "task.test=20", "model.dim=16", "model.ffn=16"),
    *("model.head=16", "training.steps=4", "training.warmup=2", "training.batch=5"),
]
LIBRARY = {"imagecorruptions-imaug": "1.1.5"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A results folder with two runs on made-up images."""
    results = tmp_path_factory.mktemp("trained")
    words = ["--task", "image", "--protocol", "quick", "--source", "sample", "--set", *SMALL]
    words += ["--attn", "linear", "linear+gfsa", "--no-measure", *folders(results)]
    assert main(words) == 0
    return results


def folders(results):
    return ["--results", str(results), "--data-dir", str(results / "data")]


@pytest.fixture
def results(trained, tmp_path, monkeypatch):
    """The package's place is taken by negatives, which are right for severity 1 alone."""

    def corrupted(image, corruption, severity, seed):
        return image if severity == 1 else 255 - image

    monkeypatch.setattr(images, "corrupted", corrupted)
    monkeypatch.setattr(evaluate, "library", lambda: LIBRARY)
    return shutil.copytree(trained, tmp_path / "results")


def run_of(results, name="linear"):
    (folder,) = (results / "runs").glob(f"image-{name}-quick-*")
    return folder


def asked(results, *words, name="linear"):
    return main(["evaluate", run_of(results, name).name, *words, *folders(results)])


def on_record(results):
    return json.loads((run_of(results) / "corruptions.json").read_text())


def test_from_a_run_to_the_tables(results, capsys, monkeypatch):
    assert asked(results, "--corruption", "fog", "contrast", "--severity", "2", "1") == 0
    out, err = capsys.readouterr()
    rows = [line.split("|")[1].strip() for line in out.splitlines() if line.startswith("| ")]
    assert rows == ["corruption", "fog", "contrast", "mean"]
    assert "fog severity 2: accuracy" in err and "Without corruption: " in out
    first = on_record(results)
    record = json.loads((run_of(results) / "record.json").read_text())
    assert (first["identity"], first["checkpoint"]) == (
        record["identity"],
        record["training"]["checkpoint"],
    )
    (session,) = first["sessions"]
    assert session["library"] == LIBRARY and session["environment"]["versions"]["torch"]
    found = {(one["corruption"], one["severity"]): one["test"] for one in session["results"]}
    assert found["fog", 1]["accuracy"] == found["contrast", 1]["accuracy"]
    assert found["fog", 1] == record["test"] != found["fog", 2]
    assert all(test["count"] == 20 for test in found.values())

    with monkeypatch.context() as patch:  # what is on record is not evaluated again
        patch.setattr(Finished, "evaluate", None)
        assert asked(results, "--corruption", "contrast", "fog", "--severity", "1", "2") == 0
        again = capsys.readouterr()
        assert again.out == out and "4 of 4 on record (--rerun evaluates again)" in again.err
    assert on_record(results) == first

    assert asked(results, "--corruption", "all", "--severity", "1", "2") == 0
    out, err = capsys.readouterr()
    assert "4 of 24 on record" in err and len(out.splitlines()) > len(CORRUPTIONS)
    assert [len(one["results"]) for one in on_record(results)["sessions"]] == [4, 20]
    assert asked(results, "--corruption", "fog", "--severity", "1", "--rerun") == 0
    assert [len(one["results"]) for one in on_record(results)["sessions"]] == [3, 20, 1]
    assert "--rerun" in on_record(results)["sessions"][-1]["command"]

    assert asked(results, "--corruption", "all", "--severity", "1", "2", name="linear+gfsa") == 0
    capsys.readouterr()
    assert main(["table", "--results", str(results)]) == 0
    text = capsys.readouterr().out
    assert "**Test accuracy under corruptions, %, Image: " in text
    assert main(["table", "corruptions", "--results", str(results), "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "severity 2,mean,difference" in lines[0]
    assert own_run(run_of(results), results) == run_of(results).resolve()


def test_results_of_different_severities_are_tabled_with_what_is_left_out(results, capsys):
    assert asked(results, "--corruption", "contrast", "--severity", "1") == 0
    assert asked(results, "--corruption", "brightness", "--severity", "3") == 0
    capsys.readouterr()
    assert main(["table", "corruptions", "--results", str(results)]) == 0
    out = capsys.readouterr().out
    assert "the mean over 1 corruption: contrast." in out and ": brightness (3). To fill" in out
    assert out.count("Evaluated on: ") == 1 and "(cpu).\nCorruptions: " in out


def test_an_evaluation_that_is_cut_off_goes_on(results, capsys, monkeypatch):
    whole, calls = Finished.evaluate, []

    def cut(self, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, *arguments)

    monkeypatch.setattr(Finished, "evaluate", cut)
    assert asked(results, "--corruption", "fog") == 130
    assert len(on_record(results)["sessions"][0]["results"]) == 2
    assert asked(results, "--corruption", "fog") == 0
    assert len(calls) == 6
    assert "2 of 5 on record" in capsys.readouterr().err


def test_figures_of_other_weights_do_not_count(results, capsys):
    assert asked(results, "--corruption", "fog", "--severity", "1") == 0
    path = run_of(results) / "corruptions.json"
    path.write_text(json.dumps(on_record(results) | {"checkpoint": "0" * 64}))
    capsys.readouterr()
    assert main(["table", "corruptions", "--results", str(results)]) == 2
    error = capsys.readouterr().err
    assert "nothing on record for corruptions; corruptions: `evaluate RUN --corrup" in error
    assert main(["results", "show", run_of(results).name, "--results", str(results)]) == 0
    assert "  corruptions.json  of `evaluate --corruption`" in capsys.readouterr().out
    assert asked(results, "--corruption", "fog", "--severity", "2") == 0
    assert [len(one["results"]) for one in on_record(results)["sessions"]] == [1]
    path.write_text("{}")
    assert main(["table", "--results", str(results)]) == 0
    assert f"skipped: {path}: schema is missing" in capsys.readouterr().err
    assert asked(results, "--corruption", "fog") == 2


REFUSED = [
    (["--corruption", "snow"], "--corruption snow is left out: it draws flakes"),
    (["--corruption", "saturate"], "changes colour alone"),
    (["--corruption", "brightnes"], "did you mean 'brightness'?"),
    (["--corruption", "all", "--severity", "6"], "invalid choice: 6"),
    (["--corruption", "all", "--split", "val"], "is of the test split; leave --split val out"),
    (["--severity", "1"], "--severity goes with --corruption"),
    (["--rerun"], "--rerun goes with --corruption"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_cannot_be_is_one_line(results, capsys, words, said):
    assert asked(results, *words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err
    assert not (run_of(results) / "corruptions.json").exists()


def test_a_run_without_pixels_or_checkpoint_is_one_line(results, capsys):
    text = ["--task", "listops", "--protocol", "quick", "--attn", "linear", "--no-measure"]
    text += ["--set", "task.train=30", "task.val=10", "task.test=10", "task.max_length=32"]
    text += ["task.min_length=4", "training.steps=4", "training.warmup=2", "training.batch=5"]
    assert main([*text, *folders(results)]) == 0
    capsys.readouterr()
    assert main(["evaluate", "listops-", "--corruption", "all", *folders(results)]) == 2
    said = "--corruption is for tasks whose tokens are pixels (image, pathfinder), not listops"
    assert said in capsys.readouterr().err
    (run_of(results) / "best.ckpt").unlink()
    assert asked(results, "--corruption", "all") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "is missing, or not the checkpoint that record.json" in err
