"""The command line as a user types it."""

import json
import shlex
import subprocess
import sys

import pytest

import attention_zoo
from attention_zoo.registry import ATTENTIONS
from lra.cli import main
from lra.environment import ROOT
from lra.run_config import RunConfig

from .tiny import SETTINGS, config, store

TINY = ["--task", "listops", "--protocol", "quick", "--set", *SETTINGS]


def run_lra(*words, cwd=ROOT):
    command = [sys.executable, ROOT / "run_lra.py", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def folders(tmp_path):
    data = str(store().path.parent.parent)
    return ["--results", str(tmp_path), "--data-dir", data]


def test_two_variants_from_nothing_to_a_table(tmp_path, folders):
    first = run_lra(*TINY, "--attn", "linear", "linear+gfsa", "--seed", "0", "1", *folders)
    assert first.returncode == 0, first.stderr
    assert "| linear+gfsa" in first.stdout and "(majority class)" in first.stdout
    assert "not comparable with LRA" in first.stdout and "modified (" in first.stdout
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(runs) == 4 and all("quick-s" in name for name in runs)
    for run in (tmp_path / "runs").iterdir():
        assert {path.name for path in run.iterdir()} >= {"record.json", "best.ckpt", "metrics.csv"}
        record = json.loads((run / "record.json").read_text())
        assert record["environment"]["versions"]["torch"] and record["measurement"]["kernels"]
        assert record["modified"]["training.steps"] == 12
    assert "training takes" in first.stderr

    again = run_lra(*TINY, "--attn", "linear+gfsa", "--seed", "1", *folders)
    assert again.returncode == 0 and "on record in" in again.stderr

    table = run_lra("table", "--results", str(tmp_path))
    assert table.stdout == first.stdout
    out = tmp_path / "table.csv"
    run_lra("table", "--results", str(tmp_path), "--format", "csv", "--out", str(out))
    assert len(out.read_text().splitlines()) == 5

    gfsa = [name for name in runs if "+gfsa" in name and "-s1-" in name]
    path = tmp_path / "runs" / gfsa[0] / "record.json"
    before = json.loads(path.read_text())
    words = shlex.split(before["command"])
    assert words[:2] == ["python", "run_lra.py"]
    repeated = run_lra(*words[2:], "--rerun", *folders)
    assert repeated.returncode == 0, repeated.stderr
    after = json.loads(path.read_text())
    assert after["identity"] == before["identity"]
    assert after["test"] == before["test"] and after["gfsa"] == before["gfsa"]


PLUGIN = """
import torch
from attention_zoo import Attention, DenseOperator, Support, register_attention


@register_attention("mine")
class Mine(Attention):
    support = Support(paper="none", rows_sum_to_one=True, time="N²", memory="N²")

    def __init__(self, *, heads, head_dim, max_len, temperature: float = 2.0):
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.temperature = temperature

    def operator(self, q, k, keep):
        return DenseOperator(self.reference(q, k, keep), keep)

    def reference(self, q, k, keep):
        scores = q @ k.mT / self.temperature
        if keep is not None:
            scores = scores.masked_fill(~keep[:, None, None], -1e9)
        return scores.softmax(-1)
"""


def test_a_strangers_attention_trains_is_measured_and_stands_in_the_table(tmp_path, folders):
    (tmp_path / "example.py").write_text(PLUGIN)
    words = ["--attn", "mine:temperature=3.0+gfsa", "--plugin", "example"]
    done = run_lra(*TINY, *words, *folders, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| mine:temperature=3.0+gfsa" in done.stdout
    table = run_lra("table", "--results", str(tmp_path), cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert "| mine:temperature=3.0+gfsa" in table.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tabel", "did you mean 'table'"),
        ("--task listop --attn linear", "did you mean 'listops'"),
        ("--task listops --attn linaer", "did you mean 'linear'"),
        ("--task listops --attn linear+gsfa", "did you mean 'gfsa'"),
        ("--task listops --attn linear --protocol quik", "did you mean 'quick'"),
        ("--task listops --attn linear --set training.stepz=1", "did you mean 'steps'"),
        ("--task listops --attn linear --set training.warmup=9999", "must be less than"),
        ("--task listops", "required: --attn"),
        ("--attn linear", "required: --task"),
        ("--task listops --attn linear --seed one", "invalid int value"),
        ("--task listops --attn linear --colour red", "unrecognized arguments"),
        ("--task listops --attn linear --precision 16", "invalid choice"),
        ("--task listops --attn linear+gfsa:layers=3", "none of the model's 2 layers"),
        ("--task listops --attn linear+gfsa:K=0", "K ≥ 1"),
        ("--task listops --attn xformers --accelerator cpu", "`sdpa` is the same mathematics"),
        ("--task listops --attn linear --plugin no_such_module", "does not import"),
        ("list attention", "did you mean 'attentions'"),
        ("table --results /nowhere/at/all", "no runs on record"),
        ("table --format html", "invalid choice"),
        ("prepare --task listops --workers 0", "1 or more"),
        ("measure --task listops --attn nothing", "unknown attention"),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(capsys, line, message):
    assert main(shlex.split(line)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("run_lra.py: error: ") and err.count("\n") == 1
    assert message in err


def test_folders_that_cannot_be_written_are_named(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    blocked = str(tmp_path / "file" / "inside")
    assert main(["prepare", *TINY, "--data-dir", blocked, "--workers", "1"]) == 1
    err = capsys.readouterr().err
    assert "file" in err and err.splitlines()[-1].startswith("run_lra.py: error: ")


def test_help_and_version(capsys):
    assert main([]) == 2
    assert "examples:" in capsys.readouterr().out
    for words, text in ((["--help"], "run_lra.py table"), (["--version"], "lra-gfsa 0.")):
        with pytest.raises(SystemExit) as exit:
            main(words)
        assert exit.value.code == 0 and text in capsys.readouterr().out


def test_list_names_everything(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for name in [*attention_zoo.names(), "+gfsa", "nystromformer", "quick", "listops"]:
        assert name in out
    assert "no attention dropout" in out
    assert main(["list", "filters"]) == 0
    assert "nystromformer" not in capsys.readouterr().out


def test_prepare_reports_what_there_is(capsys):
    assert main(["prepare", *TINY, "--data-dir", str(store().path.parent.parent)]) == 0
    out = capsys.readouterr().out
    assert "| train" in out and "200" in out and store().fingerprint in out and "verified" in out


def test_measure_prints_costs_without_training(capsys):
    assert main(["measure", *TINY, "--attn", "sdpa+gfsa"]) == 0
    out = capsys.readouterr().out
    assert "| sdpa+gfsa" in out and "step ms" in out and "flash_attention_for_cpu" in out


def test_identity_is_what_decides_the_result():
    base = config("linear")
    assert base.identity == config("linear", plugins=("example",)).identity
    others = [
        config("linear+gfsa"),
        config("linear", seed=1),
        config("linear", precision="bf16-mixed"),
        config("linear", accelerator="cuda"),
    ]
    assert len({base.identity, *(other.identity for other in others)}) == 5
    assert isinstance(base, RunConfig) and ATTENTIONS.get("linear")
