"""What is imported before a command line is known to be right."""

import json
import subprocess
import sys

from lra.system.environment import ROOT

HEAVY = ("torch", "pytorch_lightning", "pandas", "numba", "scipy", "matplotlib")
RUN = ["--task", "listops", "--attn", "linear"]
# Every line in its turn in one process, with what is in it after each.
PROGRAM = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from lra.cli import main

for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as exit:
            status = exit.code
    found = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
    print(json.dumps([status, err.getvalue() or out.getvalue(), found]))
"""


def answers(lines):
    words = [sys.executable, "-c", PROGRAM, json.dumps(lines), json.dumps(HEAVY)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_help_and_what_is_mistyped_import_nothing_heavy():
    lines = {
        "usage: run_lra.py": ["--help"],
        "usage: run_lra.py measure": ["measure", "--help"],
        "did you mean 'measure'": ["mesure"],
        "unrecognized arguments: --colour": [*RUN, "--colour", "red"],
        "did you mean 'listops'": ["--task", "listop", "--attn", "linear"],
        "did you mean 'text'": ["table", "--task", "txt"],
        "did you mean 'quick'": ["prepare", "--task", "text", "--protocol", "quik"],
        "did you mean 'steps'": [*RUN, "--set", "training.stepz=1"],
        "dim: expected an integer": ["measure", *RUN, "--set", "model.dim=x"],
        "auto|official|generated": [*RUN, "--source", "nowhere"],
        "has no effect at level layer": ["measure", "--attn", "linear", "--micro-batch", "2"],
        "did you mean 'accuracy'": ["table", "acuracy"],
        "did you mean 'attentions'": ["list", "attention"],
        "use e.g. 500M or 8G": [*RUN, "--memory-limit", "9" * 400 + "G"],
    }
    found = answers(list(lines.values()))
    for message, (status, text, imported) in zip(lines, found, strict=True):
        assert message in text and status == (0 if text.startswith("usage") else 2)
        assert imported == [], message


def test_a_mistyped_attention_or_run_imports_torch_alone():
    lines = [
        [*RUN[:3], "linaer"],
        ["measure", "--attn", "performer:feature=2"],
        ["check", "linear+gsfa"],
        ["evaluate", "nothing"],
        ["analyze", "nothing"],
        ["list"],
    ]
    *mistakes, listed = answers(lines)
    for status, text, imported in mistakes:
        assert status == 2 and text.count("\n") == 1 and imported == ["torch"]
    assert listed[0] == 0 and listed[2] == ["torch"]


def test_a_checkout_without_entry_points_knows_its_filters():
    code = (
        "import importlib.metadata\n"
        "importlib.metadata.entry_points = lambda **_: ()\n"
        "from attention_zoo import build_layer, filters\n"
        "build_layer('linear+gfsa', dim=4, heads=2, max_len=8)\n"
        "print('gfsa' in filters())"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr
