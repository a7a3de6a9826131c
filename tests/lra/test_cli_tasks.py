"""A task of pairs as a user types it: run, table, evaluate."""

import json
import re

import pytest

from lra.cli import main
from lra.tasks.retrieval.sample import write

from .test_cli import without_command

TINY = ["task.train=24", "task.val=8", "task.test=8", "model.dim=16", "model.head=16"]
TINY += ["training.steps=4", "training.warmup=2", "training.batch=8", "training.eval_every=4"]


def test_official_pairs_from_data_to_table(tmp_path, capsys):
    write(tmp_path / "data", {"train": 24, "val": 8, "test": 8}, 0)
    places = ["--data-dir", str(tmp_path / "data"), "--results", str(tmp_path / "results")]
    words = ["--task", "retrieval", "--attn", "linear+gfsa", "--protocol", "quick", *places]
    words += ["--micro-batch", "3", "--source", "official", "--set", *TINY, "task.max_len=64"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "official data " in out and "8 test examples" in out and "| (chance)" in out
    assert "batch 8 in parts of 3" in out and "not comparable" in out
    folder = tmp_path / "data/lra_release/lra_release/tsv_data"
    assert "(standard error " in err and f"retrieval: official data from {folder}" in err
    (path,) = (tmp_path / "results").glob("runs/*/record.json")
    record = json.loads(path.read_text())
    assert (record["micro_batch"], record["measurement"]["micro_batch"]) == (3, 3)
    assert record["data"]["source"] == "official" and record["test"]["count"] == 8
    assert {"--micro-batch 3", "--source official"} <= set(
        re.findall(r"--micro-batch \d|--source \w+", record["command"])
    )
    assert "task.source" not in record["modified"]
    assert main(["evaluate", path.parent.name, *places]) == 0
    assert "the same as on record" in capsys.readouterr().out
    assert main(["table", "--task", "retrieval", *places[2:]]) == 0
    assert without_command(capsys.readouterr().out).strip() in out
    assert main([*words, "task.seed=1"]) == 2
    said = capsys.readouterr().err
    assert f"task.seed has no effect on the official data in {folder}" in said
    file = folder / "new_aan_pairs.test.tsv"
    file.write_bytes(file.read_bytes().replace(b"1.0", b"0.0", 1))
    assert main(["evaluate", path.parent.name, *places]) == 2
    said = capsys.readouterr().err
    assert f"the data in {folder} are not those that this run began with" in said


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--task text --attn linear", "prepare --task text` says what to bring"),
        ("--task text --attn linear --source generated", "auto|official|sample"),
        ("--task pathfinder --attn linear --source sample", "auto|official|generated"),
        ("--task pathx --attn linear --set task.resolution=64", "--task chooses it"),
        ("--task image --attn linear --set task.source=sample", "--source chooses it"),
        ("--task image --attn linear --micro-batch 0", "must be a positive integer"),
        ("--task pathfindr --attn linear", "did you mean 'pathfinder'"),
        ("prepare --task retrieval", "lra_release/lra_release/tsv_data"),
        ("--task listops --attn linear --results /dev/null", "/dev/null is a file, expected"),
        ("--task listops --attn linear --results /dev/null/x", "/dev/null is a file, expected"),
        ("--task listops --attn performer:features=9999999", "at most 65,536"),
        ("prepare --task text --verify", "says what to bring"),
        ("prepare --task pathfinder --verify", "nothing is prepared"),
        ("list protocols --task txt", "did you mean 'text'"),
        ("list tusks", "did you mean 'tasks'"),
    ],
)
def test_mistakes_are_one_line(line, message, tmp_path, capsys):
    words = line.split()
    if words[0] != "list":
        words += ["--data-dir", str(tmp_path)]
    if words[0].startswith("--"):
        words += ["--results", str(tmp_path)]
    assert main(words) == 2
    out, err = capsys.readouterr()
    (said,) = [x for x in err.splitlines() if "error: " in x]
    assert message in said and not out
    assert not list(tmp_path.glob("prepared/[!.]*"))


def test_protocols_of_a_task_are_listed_with_their_sizes(capsys):
    assert main(["list", "protocols", "--task", "retrieval"]) == 0
    out = capsys.readouterr().out
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for line in out.splitlines()
        if len(cells := line.split("|")) > 3
    }
    assert rows["parameters, softmax"][:3] == ["395,138", "395,138", "1,087,618"]
    assert rows["parameters, at most (LRA's rule: 10 % more)"][0] == "434,651"
    assert rows["model.pairs"] == ["product", "product", "concat", "product"]
    assert "[--set model.pairs=product]" in out
    assert main(["list", "tasks"]) == 0
    assert "4,000 each of two" in capsys.readouterr().out
