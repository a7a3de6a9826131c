"""What the README and `--help` say is what there is."""

import re
import shlex

import pytest

from attention_zoo import names, parse_spec
from attention_zoo.registry import ATTENTIONS
from lra.cli import parsers
from lra.cli.sheets import sheet_text
from lra.measure.sheet import read_sheet
from lra.protocols import expand, get_protocol, override
from lra.results.record import read_records
from lra.results.tables import render, tables_of
from lra.system.environment import ROOT

README = (ROOT / "README.md").read_text()
SHEETS = sorted((ROOT / "results" / "reference").glob("*/measure.json"))
COMMANDS = re.findall(r"^ *python run_lra\.py (--.+)$", README + parsers.EXAMPLES, re.MULTILINE)


def test_the_demos_table_is_made_from_the_records_beside_it():
    records = list(read_records(ROOT / "results" / "reference" / "quick-cpu"))
    assert render(tables_of(records), "github").strip() in README
    for name in ("gfsa_cost.txt", "measure.md"):
        table = (ROOT / "results" / "reference" / "listops-cpu" / name).read_text()
        assert table.strip() in README


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.parent.name)
def test_measurements_are_printed_from_the_sheets_beside_them(path):
    assert path.with_suffix(".md").read_text() == sheet_text(read_sheet(path)) + "\n"


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_can_be_typed(line):
    options = parsers.run_parser().parse_args(shlex.split(line))
    for task in options.task:
        for settings in expand(options.set):
            override(get_protocol(options.protocol, task), settings)
    for spec in options.attn:
        if not options.plugin:
            parse_spec(spec)


def test_there_are_commands():
    assert len(COMMANDS) >= 6


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
