"""The command line as a user types it."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys

import pytest

import attention_zoo
from attention_zoo.registry import ATTENTIONS
from lra.cli import main
from lra.protocols import override
from lra.system.environment import ROOT

from .tiny import PROTOCOL, SETTINGS, config, store

TINY = ["--task", "listops", "--protocol", "quick", "--set", *SETTINGS]


@pytest.fixture
def folders(tmp_path):
    data = str(store().path.parent.parent)
    return ["--results", str(tmp_path), "--data-dir", data]


def test_two_variants_from_nothing_to_a_table(tmp_path, folders, capsys):
    assert main([*TINY, "--attn", "linear", "linear+gfsa", *folders]) == 0
    first, said = capsys.readouterr()
    assert "| linear+gfsa" in first and "(majority class)" in first
    assert "not comparable with LRA" in first and "modified (" in first
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(runs) == 2 and all("quick-s" in name for name in runs)
    for folder in (tmp_path / "runs").iterdir():
        names = {path.name for path in folder.iterdir()}
        assert names >= {"record.json", "best.ckpt", "metrics.csv"}
        record = json.loads((folder / "record.json").read_text())
        assert record["environment"]["versions"]["torch"] and record["measurement"]["kernels"]
        assert record["modified"]["training.steps"] == 12
    assert "training takes" in said

    assert main([*TINY, "--attn", "linear+gfsa", *folders]) == 0
    assert ": on record, " in capsys.readouterr().err

    assert main(["table", "--task", "listops", "--results", str(tmp_path)]) == 0
    assert without_command(capsys.readouterr().out) == first
    out = tmp_path / "table.csv"
    assert main(["table", "accuracy", *folders[:2], "--format", "csv", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 6  # two variants, chance and two rules

    gfsa = [name for name in runs if "+gfsa" in name]
    path = tmp_path / "runs" / gfsa[0] / "record.json"
    before = json.loads(path.read_text())
    words = shlex.split(before["command"])
    assert words[:2] == ["python", "run_lra.py"]
    assert main([*words[2:], "--rerun", "--no-measure", *folders]) == 0
    capsys.readouterr()
    after = json.loads(path.read_text())
    assert after["measurement"] is None
    assert main(["results", "show", gfsa[0], *folders[:2]]) == 0
    assert "no, by --no-measure" in capsys.readouterr().out
    assert after["identity"] == before["identity"]
    assert after["test"] == before["test"] and after["filters"] == before["filters"]
    assert after["training"]["started"] > before["training"]["started"]

    for split in ("test", "val"):
        assert main(["evaluate", gfsa[0], "--split", split, *folders]) == 0
        accuracy = f"accuracy {100 * after[split]['accuracy']:.2f} %"
        out = capsys.readouterr().out
        assert accuracy in out and "the same as on record" in out
    path.write_text(json.dumps(after | {"test": after["test"] | {"accuracy": 0.99}}))
    assert main(["evaluate", str(path.parent), *folders]) == 1
    assert "the record says 99.00 % of 50" in capsys.readouterr().err
    checkpoint = path.with_name("best.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    assert main(["evaluate", gfsa[0], *folders]) == 2
    assert "not the checkpoint that record.json describes" in capsys.readouterr().err


def without_command(tables):
    """The table of a command names it; that of a grid, which is of its own runs, none."""
    return re.sub(r"Printed by .*\n", "", tables)


def forget_afterwards(monkeypatch):
    """What a plugin registers, and where it was found, is this test's alone."""
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nonsense", "does not import: ModuleNotFoundError: No module named 'nonsense'"),
        ("raise SystemExit(3)", "does not import: SystemExit: 3"),
        ("def broken(:", "does not import: SyntaxError"),
        (
            "from attention_zoo import Attention, register_attention\n"
            "@register_attention('linear')\nclass Taken(Attention): pass",
            "'linear' is already registered by attention_zoo.attentions.linear",
        ),
        (
            "from attention_zoo import register_attention\n"
            "@register_attention('mine')\ndef mine(q, k): pass",
            "'mine' must be a subclass of Attention",
        ),
    ],
)
def test_a_plugin_that_is_none_gives_one_line(capsys, monkeypatch, tmp_path, code, message):
    name = f"plugin_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    forget_afterwards(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert main(["--task", "listops", "--attn", "linear", "--plugin", name]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


def test_an_attention_that_returns_no_operator_gives_one_line(tmp_path, monkeypatch, capsys):
    example = ROOT / "examples" / "zoo-example" / "zoo_example" / "attention.py"
    code = example.read_text().replace('"exponential"', '"hers"')
    (made,) = re.findall(r"return FactoredOperator\(.*", code)
    code = code.replace(made, "return left")
    (tmp_path / "hers.py").write_text(code)
    forget_afterwards(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert main(["measure", *TINY, "--attn", "hers", "--plugin", "hers"]) == 1
    out, err = capsys.readouterr()
    assert "fails its contract: refusals: hers: " in out
    assert "Exponential.operator must return an AttentionOperator" in out
    assert "Traceback" not in err


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
        ("--task listops --attn linear --seed one", "must be an integer of 0 or more, not 'one'"),
        ("--task listops --attn linear --colour red", "unrecognized arguments"),
        ("--task listops --attn linear --precision 16", "invalid choice"),
        ("--task listops --attn linear+gfsa:layers=3", "none of the model's 2 layers"),
        ("--task listops --attn linear+gfsa:K=0", "1 ≤ K ≤ 1,000"),
        ("--task listops --attn linear+gfsa:w0=1e300", "cannot be built"),
        ("--task listops --attn performer:features=10000000000000", "cannot be built"),
        ("--task listops --attn xformers --accelerator cpu", "`sdpa` is the same mathematics"),
        ("--task listops --attn linear --plugin no_such_module", "does not import"),
        ("list attention", "did you mean 'attentions'"),
        ("table --results /nowhere/at/all", "there is no such folder"),
        ("table --format pdf", "invalid choice"),
        ("prepare --task listops --workers 0", "must be a positive integer, not '0'"),
        ("measure --task listops --attn nothing", "unknown attention"),
        ("--task listops --attn linear --set training.steps", "section.key=value"),
        ("--task listops --attn linear --set model.dim=64 model.dim=32", "model.dim=a,b"),
        ("--task listops --attn linear --set model.dim=64,x", "expected an integer, got 'x'"),
        ("--task listops --attn linear --jobs 0", "must be a positive integer, not '0'"),
        (
            "--task listops --attn linear --time-limit soon",
            "'soon'; use e.g. 90s, 30min or 8h",
        ),
        ("--task listops --attn linear --memory-limit 8", "invalid size '8'; use e.g. 500M or 8G"),
        ("--task listops --attn linear --devices 5", "cannot be shared equally"),
        ("--task listops --attn linear --strategy magic", "Lightning says"),
        ("--task listops --attn linear --strategy ddp_spawn", "use ddp"),
        ("--task listops --attn linear --source official", "not hold the official files"),
        ("evaluate nothing", "no run 'nothing'"),
        ("evaluate", "required: RUN"),
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
    assert main(["prepare", *TINY, "--data-dir", blocked, "--workers", "1"]) == 2
    err = capsys.readouterr().err
    assert "is a file, expected a folder" in err and err.startswith("run_lra.py: error: ")


def test_help_and_version(capsys):
    script = [sys.executable, ROOT / "run_lra.py", "--version"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("lra-gfsa 0.")
    assert main([]) == 2
    assert "examples:" in capsys.readouterr().out
    for words, text in ((["--help"], "run_lra.py table"), (["--version"], "lra-gfsa 0.")):
        with pytest.raises(SystemExit) as exit:
            main(words)
        assert exit.value.code == 0 and text in capsys.readouterr().out


def test_list_names_everything(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for name in [
        *attention_zoo.names(),
        *attention_zoo.mixer_names(),
        "+gfsa",
        "nystromformer",
        "quick",
        "listops",
    ]:
        assert name in out
    assert "attention dropout only where" in out and "[--set task.brackets=drop]" in out
    _, listed, *_ = out.split("protocols for listops\n\n")
    header, _, *rows = [line for line in listed.split("\n\n")[0].splitlines() if line]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in (header, *rows)]
    assert cells[0] == ["setting", "nystromformer", "skyformer", "google", "quick"]
    assert ["training.steps", "5000", "50000", "5000", "600"] in cells
    assert ["model.pooling", "mean", "mean", "cls", "mean"] in cells
    assert "| linformer:rank=16 " in out.split("attentions in published LRA tables\n\n")[1]
    assert main(["list", "filters"]) == 0
    assert "nystromformer" not in capsys.readouterr().out


def test_prepare_reports_what_there_is(capsys):
    assert main(["prepare", *TINY, "--data-dir", str(store().path.parent.parent)]) == 0
    out = capsys.readouterr().out
    assert "| train" in out and "200" in out and store().fingerprint in out and "verified" in out


def test_identity_is_what_decides_the_result():
    base = config("linear")
    longer, _ = override(PROTOCOL, ["training.steps=13"])
    other_data, _ = override(PROTOCOL, ["task.seed=1"])
    reworded = dataclasses.replace(PROTOCOL, comparable="in other words", deviations=())
    for same in ({"plugins": ("example",)}, {"modified": {}}, {"protocol": reworded}):
        assert config("linear", **same).identity == base.identity
    others = [
        config("linear+gfsa"),
        config("linear", seed=1),
        config("linear", precision="bf16-mixed"),
        config("linear", accelerator="cuda"),
        config("linear", micro_batch=4),
        config("linear", protocol=longer),
        config("linear", protocol=other_data),
    ]
    assert len({base.identity, *(other.identity for other in others)}) == 8


def test_a_scaled_warm_up_is_said_once(capsys):
    words = [word for word in TINY if not word.startswith("training.warmup")]
    assert main([*words, "--attn", "nothing"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["measure", *words, "--attn", "linear", "--against", "nothing.json"]) == 2
    assert capsys.readouterr().err.count("training.warmup is scaled with training.steps, to 2") == 1
