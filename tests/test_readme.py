"""What the README and `--help` say is what there is."""

import re
import shlex
import sys
from types import ModuleType

import pytest

from attention_zoo import names, parse_spec
from attention_zoo.registry import ATTENTIONS
from lra.cli import run
from lra.cli.main import main
from lra.measure.sheet import read_sheet
from lra.protocols import expand, get_protocol, override
from lra.results.reading import read_records
from lra.results.tables import render
from lra.results.tables.sheet import sheet_tables
from lra.system.environment import ROOT
from lra.tasks import registry

README = (ROOT / "README.md").read_text()
SHEETS = sorted((ROOT / "results" / "reference").glob("*/measure.json"))
COMMANDS = re.findall(r"^ *python run_lra\.py (--.+)$", README + run.EXAMPLES, re.MULTILINE)
# Their output is the run's own: no `--results` and no `--out` among them.
READING = re.findall(
    r"^ *python run_lra\.py ((?:table|figure|report)\b[^#\n]*)", README, re.MULTILINE
)


def test_the_demos_table_has_the_records_beside_it():
    rows = [line.replace("**", "").split() for line in README.splitlines() if line[:2] == "| "]
    records = list(read_records(ROOT / "results" / "reference" / "quick-cpu"))
    assert len(records) == 2
    for record in records:
        assert ["|", record.attention, "|", f"{100 * record.test.accuracy:.1f}"] in (
            row[:4] for row in rows
        )


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.parent.name)
def test_measurements_on_record_can_be_printed(path):
    printed = render(sheet_tables(read_sheet(path)), "github")
    for line in path.with_suffix(".md").read_text().splitlines():
        if line.startswith("| "):
            assert f"\n| {line.split()[1]} " in printed


@pytest.mark.parametrize("line", READING)
def test_commands_that_read_runs_run(line, tmp_path, capsys):
    runs = str(ROOT / "results" / "reference" / "listops-quick-cpu")
    out = [] if line.startswith("table") else ["--out", str(tmp_path)]
    assert main([*shlex.split(line), "--results", runs, *out]) == 0
    assert capsys.readouterr().out and bool(out) == any(tmp_path.iterdir())


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_can_be_typed(line, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setattr(registry, "TASKS", dict(registry.TASKS))
    monkeypatch.setitem(sys.modules, "your.module", ModuleType("your.module"))
    monkeypatch.delitem(sys.modules, "parity_task", raising=False)
    options = run.parser().parse_args(shlex.split(line))
    for task in options.task:
        for settings in expand(options.set):
            override(get_protocol(options.protocol, task), settings)
    for spec in options.attn:
        if not options.plugin:
            parse_spec(spec)


def test_there_are_commands():
    assert len(COMMANDS) >= 6 and len(READING) >= 5


def test_every_make_target_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake (\w+)", README)):
        assert f"\n{target}:" in makefile


def test_every_attention_is_named_with_its_paper():
    named = README[README.index("## The attentions") : README.index("## Runs that last")]
    cited = README[README.index("## Citations") :]
    for name in names():
        assert f"`{name}`" in named
        assert f"`{name}`" in cited or ATTENTIONS.get(name).cls.support.family == "controls"
        assert ATTENTIONS.get(name).cls.support.family in named
    papers = "".join(ATTENTIONS.get(name).cls.__doc__ for name in names())
    for number in re.findall(r"arXiv\s(\d{4}\.\d{4,5})", papers):
        assert number in cited
