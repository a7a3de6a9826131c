"""What the README and `--help` say is what there is."""

import re
import shlex

import pytest

from attention_zoo import parse_spec
from lra.cli import parsers
from lra.protocols import expand, get_protocol, override
from lra.results.record import read_records
from lra.results.tables import render
from lra.system.environment import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^ *python run_lra\.py (--.+)$", README + parsers.EXAMPLES, re.MULTILINE)


def test_the_demos_table_is_made_from_the_records_beside_it():
    records = list(read_records(ROOT / "results" / "reference" / "quick-cpu"))
    assert render(records, "github").strip() in README
    for name in ("gfsa_cost.txt", "measure.md"):
        table = (ROOT / "results" / "reference" / "listops-cpu" / name).read_text()
        assert table.strip() in README


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
