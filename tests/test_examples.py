"""What a stranger does: an attention and a filter in a package of their own."""

import importlib.util
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from attention_zoo import registry
from lra.cli import options
from lra.cli.main import RUN, command, main
from lra.system.environment import ROOT
from lra.tasks.registry import TASKS

from .lra.tiny import SETTINGS, store

EXAMPLE = ROOT / "examples" / "zoo-example"
SMALL = ["task.train=64", "task.val=16", "task.test=16", "task.max_len=16"]
SMALL += ["training.steps=4", "training.batch=8", "training.warmup=2", "training.eval_every=2"]
GUIDE = (ROOT / "examples" / "README.md").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that the package is installed in."""
    source, site = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    shutil.copytree(EXAMPLE, source, dirs_exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*pip, *offline, str(source)], check=True)
    return site


@pytest.fixture
def forgotten(monkeypatch):
    """What the tests' process takes for registered is this test's alone."""
    registry.load_plugins()
    for entries in (registry.ATTENTIONS, registry.FILTERS):
        monkeypatch.setattr(entries, "entries", dict(entries.entries))
    monkeypatch.setattr(registry, "_plugins_loaded", False)
    before = set(TASKS)
    yield
    for name in TASKS.keys() - before:
        del TASKS[name]
    for name in {"parity_task", "zoo_example", "zoo_example.attention", "zoo_example.filter"}:
        sys.modules.pop(name, None)


@pytest.fixture
def installed(site, forgotten, monkeypatch):
    """The package, in this process and its jobs."""
    monkeypatch.syspath_prepend(site)


def test_installed_it_is_listed_by_its_entry_point(site):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    words = [sys.executable, ROOT / "run_lra.py", "list", "attentions", "filters"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = re.findall(r"^\| exponential .*$", done.stdout, re.MULTILINE)
    assert "| N " in row and "temperature=4.0 (float)" in row
    assert re.search(r"^\| \+lazy .* a=1.0 \(float\)", done.stdout, re.MULTILINE)


def test_it_keeps_the_contract_by_its_own_tests(installed):
    path = EXAMPLE / "tests" / "test_contract.py"
    spec = importlib.util.spec_from_file_location("test_of_the_example", path)
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    marks = [mark.args for mark in tests.test_the_contract_holds.pytestmark]
    assert [name for name, _ in marks] == ["check", "spec"]
    for check, spec in itertools.product(*(values for _, values in marks)):
        tests.test_the_contract_holds(check, spec)


def test_it_stands_in_the_table(installed, tmp_path, capsys):
    words = ["--task", "listops", "--protocol", "quick", "--set", *SETTINGS]
    words += ["--attn", "exponential:temperature=3.0+gfsa", "exponential+lazy:a=0.9"]
    words += ["--results", str(tmp_path), "--data-dir", str(store().path.parent.parent)]
    assert main([*words, "--no-measure"]) == 0
    out = capsys.readouterr().out
    for spec in ("exponential:temperature=3.0+gfsa", "exponential+lazy:a=0.9"):
        assert f"| {spec} " in out
    (path,) = tmp_path.glob("runs/*lazy*/record.json")
    (block, *others) = json.loads(path.read_text())["filters"]["learned"]
    assert len(block) == 1 and block[0].keys() == {"a"} and len(block[0]["a"]) == 2
    assert block[0]["a"] != [0.9, 0.9] and len(others) == 1


def test_a_strangers_task_is_trained_measured_and_tabled(forgotten, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    words = ["--task", "parity", "--protocol", "quick", "--attn", "linear+gfsa"]
    words += ["--plugin", "parity_task", "--accelerator", "cpu", "--set", *SMALL]
    assert main([*words, "--results", str(tmp_path), "--data-dir", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^\| attention +\| +Parity \|", out, re.MULTILINE)
    assert "Cost of training, Parity, N = 16, batch 8" in out
    (path,) = tmp_path.glob("runs/parity-*/record.json")
    content = json.loads(path.read_text())
    assert content["protocol"]["task"]["task"] == content["task"] == "parity"
    assert content["measurement"]["training_step"]["median_ms"] > 0
    assert main([*words, "--protocol", "google"]) == 2
    assert "has no settings under the protocol" in capsys.readouterr().err


def test_a_wrapped_module_is_trained_measured_and_tabled(forgotten, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    monkeypatch.setattr(registry.ATTENTIONS, "entries", dict(registry.ATTENTIONS.entries))
    plugin = ["--plugin", "wrapped_module"]
    data = store().path.parent.parent
    words = ["--task", "listops", "--protocol", "quick", "--attn", "torch-mha", "s4d", "linear"]
    words += [*plugin, "--accelerator", "cpu", "--set", *SETTINGS]
    assert main([*words, "--results", str(tmp_path), "--data-dir", str(data)]) == 0
    out = capsys.readouterr().out
    for name in ("torch-mha", "s4d", "linear"):
        assert len(re.findall(rf"^\| {name} +\|", out, re.MULTILINE)) == 2
    assert main(["check", "torch-mha", *plugin]) == 0
    assert "22 checks: 22 hold" in capsys.readouterr().out


def test_the_guide_shows_the_package_as_it_is():
    files = "".join(path.read_text() for path in sorted((EXAMPLE / "zoo_example").glob("*.py")))
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        assert block in files


def test_the_guides_commands_can_be_typed(monkeypatch):
    monkeypatch.setattr(options, "import_plugins", lambda modules: None)
    commands = re.findall(r"run_lra\.py (.+)$", GUIDE, re.MULTILINE)
    assert len(commands) == 3
    for words in map(shlex.split, commands):
        name = RUN if words[0].startswith("-") else words.pop(0)
        command(name).parser().parse_args(words)
