"""The examples in public docstrings run."""

import doctest
import importlib

import pytest

from attention_zoo.registry import ATTENTIONS, FILTERS, load_plugins

MODULES = (
    "attention_zoo.build",
    "attention_zoo.expand",
    "attention_zoo.layer",
    "attention_zoo.registry",
    "attention_zoo.spec",
    "gfsa.filters.gfsa",
    "lra.protocols",
    "lra.tasks.registry",
    "lra.typed",
    "gfsa.analysis.observe",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, monkeypatch):
    load_plugins()
    importlib.import_module("lra.tasks")
    for registry in (ATTENTIONS, FILTERS):  # what an example registers goes with it
        monkeypatch.setattr(registry, "entries", dict(registry.entries))
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed
