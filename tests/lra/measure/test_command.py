"""`measure` as it is typed."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lra.cli import main
from lra.cli.measure import bench
from lra.measure import answers
from lra.measure.job import Machine
from lra.measure.sheet import read_sheet
from lra.system.environment import ROOT

from ..tiny import SETTINGS as TINY
from .conftest import MACHINE, PLUGIN

STEP = ["--task", "listops", "--protocol", "quick", "--set", *TINY]
LENGTHS, STATUSES = (16, 32, 16384), ("ok", "ok", "out of memory")
SMALL = ["--level", "operator", "--head-dim", "8", "--seq-len", "32", "16"]


@pytest.fixture
def here(inside, monkeypatch, tmp_path):
    """The command in this process, with a machine of its own and a contract that only
    `how=wrong` breaks, in an empty folder."""
    machine = {"now": MACHINE}
    monkeypatch.setattr(bench, "machine_of", lambda job: machine["now"])
    monkeypatch.setattr(
        answers, "failure", lambda job: "it is wrong" if "wrong" in job.attention else None
    )
    monkeypatch.chdir(tmp_path)
    return machine


def test_the_whole_command_with_its_processes(tmp_path, monkeypatch, capsys):
    """With the kit's checks, the machine's limits, and less memory than one length needs."""
    out = tmp_path / "sheet.json"
    words = ["measure", *SMALL, "16384", "--attn", "softmax+gfsa", "xformers", "--out", str(out)]
    words += ["--memory-limit", "500M"]  # the machine's limits need more, too
    monkeypatch.chdir(tmp_path)
    assert main(words) == 0
    printed = capsys.readouterr().out
    sheet = read_sheet(out)
    assert [(row.attention, row.N, row.status) for row in sheet.rows] == [
        *(("softmax+gfsa", N, status) for N, status in zip(LENGTHS, STATUSES, strict=True)),
        *(("xformers", N, "unsupported") for N in LENGTHS),
    ]
    assert "allocate" in sheet.rows[2].reason
    for row in sheet.rows[:2]:
        for passed in (row.forward, row.training):
            assert passed.formula == passed.flops > 0 and passed.bytes > 0 and passed.time.n >= 5
    assert sheet.limits.bytes_per_second > 1e8 and sheet.limits.flops_per_second > 1e8
    assert "| softmax+gfsa" in printed and "unsupported: it runs on cuda" in printed
    assert sheet.environment.device in printed and "16–32" in printed


def test_a_step_of_a_tasks_model(here, capsys):
    assert main(["measure", *STEP, "--attn", "sdpa", "linear+gfsa:layers=2"]) == 0
    out, err = capsys.readouterr()
    assert "| sdpa" in out and "forward + backward + optimiser" in out
    assert "training step ms" in out and "forward + backward ms" not in out
    assert "flash_attention_for_cpu" in out and "float32 products highest" in out
    assert "listops, protocol quick modified (" in out and "task.train=200" in out
    (path,) = sorted(here_sheets())
    assert path.name.startswith("step-listops-quick-b8-cpu-32-true-")
    sheet = read_sheet(path)
    assert [row.N for row in sheet.rows] == [32, 32] and str(path.name) in err
    assert sheet.settings.modified["model.dim"] == 16 and sheet.settings.head_dim == 8
    words = shlex.split(sheet.command)
    assert words[:3] == ["python", "run_lra.py", "measure"]
    assert main([*words[2:], "--seq-len", "32"]) == 0  # the same measurement, in its place
    assert sorted(here_sheets()) == [path]
    assert (
        main(["measure", *STEP, "--attn", "sdpa", "--seq-len", "24", "--precision", "bf16-mixed"])
        == 0
    )
    (other,) = set(here_sheets()) - {path}
    assert (read_sheet(other).settings.dtype, read_sheet(other).rows[0].N) == ("bf16-mixed", 24)


def here_sheets():
    return bench.FOLDER.glob("*.json")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--attn linear --level step", "--level step measures a task's model"),
        ("--attn linear --micro-batch 2", "--micro-batch has no effect at level layer"),
        ("--attn linear --precision bf16-mixed", "at level layer; use --dtype"),
        ("--attn linear --level operator --task listops", "--task has no effect at level operator"),
        ("--attn linear --task listops --heads 4", "at level step; use --set model.heads=H"),
        ("--attn linear --task listops --dtype float32", "use --precision"),
        ("--attn linear --task listops --set model.dim=16,32", "give one value"),
        ("--attn linear --task listops --batch 2 --set training.batch=4", "is given twice"),
        ("--attn linear --fail-above 1.1", "needs --against FILE"),
        ("--attn linear --fail-above 0.9", "must be a number of 1 or more, not '0.9'"),
        ("--attn linear --against nothing.json", "nothing.json: No such file"),
        ("--attn linear --seq-len 0", "must be an integer of 2 or more"),
        ("--attn linear --seq-len 1", "must be an integer of 2 or more"),
        ("--attn linear --out /proc/none/sheet.json", "--out /proc/none/sheet.json cannot be"),
        ("--attn linear+gfsa:layers=2", "not in layer 1, which is measured: use --level step"),
        ("--attn linear+gfsa:K=0", "1 ≤ K ≤ 1,000"),
        ("--attn linear --dtype float64", "invalid choice"),
    ],
)
def test_a_mistake_is_one_line(here, capsys, line, message):
    assert main(["measure", *shlex.split(line)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


def test_what_is_there_is_not_lost(here, capsys, tmp_path):
    words = ["measure", *SMALL, "--out", "sheet.json"]
    assert main([*words, "--attn", "linear", "relu"]) == 0
    kept = (tmp_path / "sheet.json").read_bytes()
    for change, message in (
        (["--attn", "linear"], "it has 2 rows that this measurement has not, relu at N=16"),
        (["--attn", "linear", "relu", "--batch", "2"], "other settings: batch 1, now 2"),
    ):
        capsys.readouterr()
        assert main([*words, *change]) == 2
        assert message in capsys.readouterr().err
        assert (tmp_path / "sheet.json").read_bytes() == kept
    (tmp_path / "sheet.json").write_text("{")
    assert main([*words, "--attn", "linear"]) == 2
    assert "is not overwritten: sheet.json: " in capsys.readouterr().err


def test_rows_without_figures_are_printed_and_fail(here, capsys):
    words = ["--attn", "linear", "troubled:how=raise,at=40", "troubled:how=wrong"]
    assert main(["measure", "--level", "operator", "--seq-len", "32", "64", *words]) == 1
    out, err = capsys.readouterr()
    assert "error: RuntimeError: no such block" in out and "fails its contract: " in out
    assert "N=64 error: RuntimeError: no such block; and 2 rows more" in err.splitlines()[-1]
    assert main(["measure", *SMALL, "--attn", "xformers"]) == 1
    assert "no row has figures" in capsys.readouterr().err


def test_against_an_earlier_measurement(here, capsys, tmp_path):
    words = ["measure", *SMALL, "--attn", "linear", "linear+gfsa"]
    assert main([*words, "--out", "old.json"]) == 0
    old = tmp_path / "old.json"
    content = json.loads(old.read_text())
    for row in content["rows"]:  # twice as fast in the past, in half the memory
        for name in ("forward", "training"):
            times = row[name]["time"]
            row[name]["time"] = {k: v if k == "n" else v / 1e3 for k, v in times.items()}
        row["memory"]["cpu_allocator_peak"] //= 2
    old.write_text(json.dumps(content))
    capsys.readouterr()
    assert main([*words, "--out", "new.json", "--against", "old.json"]) == 0
    out = capsys.readouterr().out
    assert out.count("| regression") == 12 and out.count("| memory  ") == 4
    assert main([*words, "--out", "new.json", "--against", "old.json", "--fail-above", "1.1"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "worse than × 1.1: linear N=16 forward × " in last
    assert "linear+gfsa N=32 memory × 2.00" in last
    allowed = ["--against", "new.json", "--fail-above", "1000"]
    assert main([*words, "--out", "third.json", *allowed]) == 0
    assert main([*words, "--batch", "3", "--against", "old.json"]) == 2
    assert "old.json: measured with other settings: batch 1, now 3" in capsys.readouterr().err
    assert main(["measure", *SMALL, "--attn", "relu", "--against", "old.json"]) == 2
    assert "no figures of these attentions and lengths" in capsys.readouterr().err


def test_a_measurement_is_not_held_to_nothing_nor_written_over_what_it_is_held_to(here, capsys):
    words = ["measure", *SMALL, "--attn", "linear"]
    assert main([*words, "--out", "old.json"]) == 0
    kept = Path("old.json").read_bytes()
    assert main([*words, "--out", "./old.json", "--against", "old.json"]) == 2
    assert "would be replaced; give another --out" in capsys.readouterr().err
    assert Path("old.json").read_bytes() == kept
    assert main([*words[:-4], "16", *words[-2:], "--against", "old.json"]) == 0
    assert "Not measured now: linear N=32." in capsys.readouterr().out
    content = json.loads(kept)
    for row in content["rows"]:
        row |= dict.fromkeys(row.keys() - {"attention", "N"}) | {"status": "out of memory"}
    Path("old.json").write_text(json.dumps(content))
    assert main([*words, "--against", "old.json", "--fail-above", "1.1"]) == 2
    assert "old.json has no figures of these" in capsys.readouterr().err


def test_against_another_machine(here, capsys):
    words = ["measure", *SMALL, "--attn", "linear"]
    assert main([*words, "--out", "old.json"]) == 0
    environment = vars(MACHINE.environment) | {"threads": 64}
    here["now"] = Machine(type(MACHINE.environment)(**environment), MACHINE.limits)
    assert main([*words, "--out", "new.json", "--against", "old.json"]) == 0
    assert "Measured elsewhere, so no measure of the code: threads 1, now 64" in (
        capsys.readouterr().out
    )
    assert main([*words, "--against", "old.json", "--fail-above", "2"]) == 2
    assert "--fail-above: old.json is no measure here: threads 1" in capsys.readouterr().err
    assert main([*words, "--out", "old.json"]) == 2
    assert "old.json was measured elsewhere" in capsys.readouterr().err


# The command with a machine that is known, and without the kit's checks.
QUICKER = """
import sys
from lra.cli import main
from lra.cli.measure import bench, jobs
from tests.lra.measure.conftest import MACHINE

bench.machine_of, jobs.CONTRACT = lambda job: MACHINE, ()
sys.exit(main(sys.argv[1:]))
"""


def test_an_interrupt_keeps_what_is_measured_and_leaves_no_process(tmp_path):
    out = tmp_path / "sheet.json"
    command = [sys.executable, "-c", QUICKER, "measure", "--level", "operator"]
    command += ["--attn", "identity", "troubled:at=1,how=sleep", "--plugin", PLUGIN]
    command += ["--seq-len", "16", "--out", out]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},  # where workers have their jobs
    )
    partial = tmp_path / "sheet.json.partial"
    while not partial.exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    kept = f"run_lra.py: error: stopped; what is measured so far is in {partial}"
    assert err.splitlines()[-1] == kept
    assert [row.attention for row in read_sheet(partial).rows] == ["identity"]
    assert not out.exists()
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    workers = [line for line in running.splitlines() if "lra" in line]
    assert not [line for line in workers if str(tmp_path) in line]
