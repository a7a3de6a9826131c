"""The examples that put GFSA into other people's models, for a few steps."""

import math
import runpy
import sys

import pytest
import torch

from lra.system.environment import ROOT

pytestmark = pytest.mark.parity
EXAMPLES = ROOT / "examples"
VARIANTS = ("base", "+gfsa", "+mean")


@pytest.fixture
def alone(monkeypatch):
    """An example as a script: it finds its neighbours, and what it sets is undone."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    monkeypatch.syspath_prepend(EXAMPLES)
    yield
    torch.backends.mha.set_fastpath_enabled(fast_path)
    sys.modules.pop("common", None)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("graphs", "MAE"),
        ("images", "accuracy %"),
        ("language_model", "perplexity"),
        ("source_code", "accuracy %"),
        ("speech", "error %"),
        ("texts", "accuracy %"),
    ],
)
def test_it_compares_gfsa_with_the_base_and_the_control(name, metric, alone, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--steps", "3"])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    heading, *table = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    assert heading.strip().startswith(metric)
    scores = {row.split()[0]: float(row.split()[1]) for row in table[: len(VARIANTS)]}
    assert tuple(scores) == VARIANTS and all(map(math.isfinite, scores.values()))
