import sys
from dataclasses import replace

import pytest

from attention_zoo.registry import ATTENTIONS, load_plugin
from lra.measure import bench, timing, turns
from lra.measure.answers import Answers, answered
from lra.measure.job import Job, Machine, Reply
from lra.measure.sheet import Limits, Settings
from lra.system.environment import Environment

PLUGIN = "tests.lra.measure.troubled"
SETTINGS = Settings("operator", 1, 2, 8, "float32", "cpu", False)
MACHINE = Machine(
    Environment(
        *("a processor", 2, 1, 8.0, "linux", "3.11", {"torch": "2.13"}, None, "highest", "c0ffee")
    ),
    Limits(1e10, 1e11),
)


def job(attention, settings=SETTINGS, checks=()):
    return Job(attention, settings, None, (PLUGIN,), None, tuple(checks))


class Inside:
    """Answers in this process, with no contract of the kit."""

    started = 0

    def __init__(self, given):
        Inside.started += 1
        self.answers = Answers(replace(given, checks=()))

    def ready(self):
        return Reply()

    def ask(self, request, seconds):
        return answered(self.answers, request)

    def close(self):
        pass


@pytest.fixture
def troubled(monkeypatch):
    """The plugin, registered in this test alone."""
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))
    monkeypatch.delitem(sys.modules, PLUGIN, raising=False)
    load_plugin(PLUGIN)


@pytest.fixture
def inside(monkeypatch, troubled):
    monkeypatch.setattr(turns, "Worker", Inside)
    monkeypatch.setattr(Inside, "started", 0)
    for name, few in (("TURN_MOST", 3), ("WARM", 0.0)):
        monkeypatch.setattr(timing, name, few)
    monkeypatch.setitem(bench.bench.__kwdefaults__, "rounds", 1)
    return Inside
