"""Filters in a checkout, and states that know what they were made for."""

import importlib.metadata
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from attention_zoo import build_layer, filters, registry
from attention_zoo.registry import load_plugins

ROOT = Path(__file__).parents[2]
IN_A_CHECKOUT = """
import importlib.metadata, sys
importlib.metadata.entry_points = lambda **_: ()
import attention_zoo
assert "gfsa" not in sys.modules, "importing attention_zoo imports gfsa"
layer = attention_zoo.build_layer("linear+gfsa", dim=8, heads=2, max_len=4)
print(type(layer.attention.filters[0]).__module__)
"""


def test_a_checkout_finds_its_filters_without_an_import():
    command = [sys.executable, "-c", IN_A_CHECKOUT]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("gfsa.filters.gfsa\n", 0), done.stderr


def test_an_entry_point_for_them_registers_nothing_twice(monkeypatch):
    entry = importlib.metadata.EntryPoint("gfsa", "gfsa", registry.ENTRY_POINTS)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: (entry,))
    monkeypatch.setattr(registry, "_plugins_loaded", False)
    load_plugins()
    assert filters().count("gfsa") == 1


def made(spec, max_len):
    return build_layer(spec, dim=8, heads=2, max_len=max_len)


@pytest.mark.parametrize(
    ("spec", "number", "fixed"),
    [
        ("sparse", "stride=9, this module has stride=10", "sparse:stride=9"),
        ("yoso-e", "bits=7, this module has bits=8", "yoso-e:bits=7"),
        ("informer", "factor=30, this module has factor=26", "informer:factor=30"),
    ],
)
def test_what_follows_max_len_is_checked_on_load_and_can_be_given(spec, number, fixed):
    first = made(spec + "+gfsa", 80)
    long = 100 if spec == "sparse" else 140
    with pytest.raises(RuntimeError, match=f"attention.attention.*saved with {number}") as error:
        made(spec + "+gfsa", long).load_state_dict(first.state_dict())
    assert "build it for the same max_len" in str(error.value)
    if spec != "informer":  # whose draws are as many as its longest sequence needs
        other = made(fixed + "+gfsa", long)
        other.load_state_dict(first.state_dict())
        x = torch.randn(2, 70, 8)
        torch.testing.assert_close(other(x), first(x))


def test_a_state_from_before_the_number_was_saved_still_loads_and_modules_can_be_pickled():
    layer = pickle.loads(pickle.dumps(made("sparse", 80)))
    state = layer.state_dict()
    del state["attention.checked_stride"]
    layer.load_state_dict(state)
    with pytest.raises(RuntimeError, match="stride"):
        layer.load_state_dict(made("sparse", 100).state_dict())
