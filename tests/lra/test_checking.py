"""`run_lra.py check` as a user types it."""

import re
import sys

import pytest

from attention_zoo.registry import ATTENTIONS
from attention_zoo.testing import CHECKS
from lra.cli import main
from lra.system.environment import ROOT

EXAMPLE = (ROOT / "examples" / "zoo-example" / "zoo_example" / "attention.py").read_text()
MASK = """\
            if keep is not None:
                keys = keys.masked_fill(~keep[:, None, :, None], lowest(keys))
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Writes a stranger's module where the command is typed; what it registers is forgotten."""
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)

    def write(name, code):
        (tmp_path / f"{name}.py").write_text(code.replace('"exponential"', f'"{name}"'))
        return ["check", name, "--plugin", name]

    return write


def test_a_sound_attention_gets_a_line_for_each_check(plugin, capsys):
    assert main(plugin("sound", EXAMPLE)) == 0
    out = capsys.readouterr().out
    assert out.startswith("sound: sound.Exponential\nchecked as sound\n")
    assert re.findall(r"^holds +(\w+)", out, re.MULTILINE) == list(CHECKS)
    assert out.endswith(f"{len(CHECKS)} checks: {len(CHECKS)} hold, 0 excepted, 0 fail\n")


def test_a_leak_is_shown_with_the_input_that_shows_it(plugin, capsys):
    assert MASK in EXAMPLE
    assert main(plugin("exponential", EXAMPLE.replace(MASK, ""))) == 1
    out = capsys.readouterr().out
    failed = re.findall(r"^FAILS +(\w+)", out, re.MULTILINE)
    assert {"reference", "amount", "rows"} <= set(failed)
    guide = (ROOT / "examples" / "README.md").read_text()
    shown = guide[guide.index("FAILS     reference") : guide.index("```\n\nThe `Case` that shows")]
    assert shown in out


@pytest.mark.parametrize(
    ("name", "old", "new", "status", "message"),
    [
        (
            "undeclared",
            "    support = Support",
            "    other = Support",
            2,
            "needs support, a Support",
        ),
        ("misbuilt", "self.temperature = temp", "self.t = temp", 2, "cannot be built: Attribute"),
        (
            "tensor",
            "return FactoredOperator(left",
            "return (left",
            2,
            "must return an AttentionOperator",
        ),
        ("narrow", 'memory="N")', 'memory="N", head_dims=(16, 64, 16))', 2, "heads of 8: its head"),
    ],
)
def test_what_cannot_be_checked_is_one_line(plugin, capsys, name, old, new, status, message):
    assert old in EXAMPLE
    assert main(plugin(name, EXAMPLE.replace(old, new))) == status
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


@pytest.mark.parametrize(
    ("spec", "message"),
    [("linaer", "did you mean 'linear'"), ("xformers", "it runs on cuda, not on cpu")],
)
def test_a_name_that_cannot_be_checked_is_one_line(capsys, spec, message):
    assert main(["check", spec]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err
