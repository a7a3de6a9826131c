"""Command lines made from the parsers and registries: none is a traceback, none hangs."""

import contextlib
import dataclasses
import importlib
import inspect
import io
import shutil
import signal
from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from attention_zoo.registry import ATTENTIONS, FILTERS
from attention_zoo.testing import Verdict
from lra.cli import main
from lra.cli.main import COMMANDS
from lra.data.prepare import Source
from lra.data.store import Store
from lra.grid.jobs import Run
from lra.measure.sheet import read_sheet
from lra.protocols import get_protocol
from lra.results.reading import read_records
from lra.system.environment import ROOT
from lra.typed import field_types

from .lines import lines
from .measure.conftest import MACHINE
from .results.analyses import analysis, layer

REFERENCE = ROOT / "results" / "reference"
PHASES = tuple(Phase)[:-1]  # the last one, explain, traces every line of code
SECONDS = 2.0  # of processor time


def fits(value, hint):
    """Whether a value is of the type that a parameter is annotated with, its fields included."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Callable, type):
        return isinstance(value, origin)
    if origin is Literal:
        return value in arguments
    if isinstance(value, Run):
        return fits(value.job, type(value.job))
    if dataclasses.is_dataclass(hint):
        types = field_types(hint)
        return isinstance(value, hint) and all(fits(getattr(value, n), t) for n, t in types.items())
    if origin in (Union, UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is None:
        return isinstance(value, (int, float) if hint is float else hint)
    if issubclass(origin, dict):
        return isinstance(value, dict) and all(fits(v, arguments[1]) for v in value.values())
    if origin is tuple and Ellipsis not in arguments:
        same = isinstance(value, tuple) and len(value) == len(arguments)
        return same and all(map(fits, value, arguments))
    return isinstance(value, origin) and all(fits(item, arguments[0]) for item in value)


@pytest.fixture(scope="module")
def work(folder):
    """What takes long or cannot be undone, replaced in an empty folder with two runs on record: the
    calls, whose arguments are held to their types."""
    calls = []
    sheet = read_sheet(REFERENCE / "layers-cpu" / "measure.json")
    record = next(read_records(REFERENCE / "quick-cpu"))

    store = Store(folder, {}, "fingerprint", {}, [], {}, {})

    def again(given):
        return record, record.val if given["split"] == "val" else record.test

    class Pool:
        def __init__(self, given):
            self.runs = given["runs"]

        def run(self):
            for run in self.runs:
                run.state = "done"

    seam = {
        "lra.cli.run.grid": {"prepare": lambda _: store, "require_batch": None, "Pool": Pool},
        "lra.data.prepare": dict.fromkeys(("prepare", "verified"), lambda _: store),
        "lra.data.obtain": {"obtain": None},
        "lra.cli.prepare": {"print_store": None},
        "lra.cli.measure.bench": {"machine_of": lambda _: MACHINE, "written": lambda _: sheet},
        "attention_zoo.testing": {"verdict": lambda given: Verdict(given["check"], "holds")},
        "lra.cli.results.commands": {"remove": None},
        "lra.results.figures.paper": {"save": lambda given: [given["folder"]], "draw": None},
        "lra.results.report.page": {"page": lambda _: "page", "write_page": None},
        "lra.evaluate": {"evaluate": again},
        "lra.analysis.run": {"analyze": lambda _: analysis(layers=[layer(1)])},
    }

    def replaced(function, answer):
        signature = inspect.signature(function)
        made = function.__init__ if isinstance(function, type) else function
        hints = get_type_hints(made, localns={"Figure": Any, "Store": Store, "Source": Source})

        def fake(*arguments, **named):
            given = signature.bind(*arguments, **named).arguments
            for name, value in given.items():
                assert fits(value, hints[name]), f"{function.__name__}: {name}={value!r}"
            calls.append(function.__name__)
            return answer and answer(given)

        return fake

    with pytest.MonkeyPatch.context() as patch:
        for name, functions in seam.items():
            module = importlib.import_module(name)
            for function, answer in functions.items():
                patch.setattr(module, function, replaced(getattr(module, function), answer))
        yield calls


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    shutil.copytree(REFERENCE / "quick-cpu", folder / "results")
    for place in (folder, folder / "results" / "measurements"):
        place.mkdir(exist_ok=True)
        shutil.copy(REFERENCE / "layers-cpu" / "measure.json", place / "sheet.json")
    return folder


def files(folder):
    return {(path, path.stat().st_mtime_ns) for path in folder.rglob("*")}


class Hang(BaseException):
    """Raised in a command that has had its processor time."""


@contextlib.contextmanager
def bounded(seconds):
    def stop(number, frame):
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def answered(work, folder, words):
    """The exit status of a line that is done, or refused in one line, within its time."""
    work.clear()
    before = files(folder)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with bounded(SECONDS):
                status = main(words)
        except SystemExit as stop:  # --help and --version
            status = stop.code
    said = err.getvalue().splitlines()
    assert status in (0, 2), said
    if status == 0:
        assert work or out.getvalue() or files(folder) != before
    elif words:
        assert len([line for line in said if "error: " in line]) == 1
        assert said[-1].startswith("run_lra.py: error: ") and len(said[-1]) < 1_000
    return status


@given(words=lines())
@settings(max_examples=400, phases=PHASES, suppress_health_check=list(HealthCheck))
def test_any_line_is_done_or_refused(work, folder, words):
    answered(work, folder, words)


def test_an_endless_plugin_does_not_fill_the_screen(work, folder):
    """Its name stands in the exception, too."""
    words = ["--task", "listops", "--attn", "linear", "--plugin", "9" * 5000]
    assert answered(work, folder, words) == 2


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("word", ["9" * 5000, "9 " * 2500])
def test_an_endless_word_does_not_fill_the_screen(work, folder, command, word):
    answered(work, folder, [command, word] if command else [word])


@pytest.mark.parametrize("value", ["9" * 18, "-" + "9" * 18, "0"])
def test_extreme_values_of_every_option_are_done_or_refused(work, folder, value):
    small = ["--seq-len", "32", "--heads", "2", "--head-dim", "4", "--out", "extreme.json"]
    for registry, spec in ((ATTENTIONS, "{}:{}={}"), (FILTERS, "linear+{}:{}={}")):
        for name in registry.names():
            for key in registry.get(name).options:
                words = ["measure", "--attn", spec.format(name, key, value), *small]
                answered(work, folder, words)
    known = set()
    for task in ("listops", "text", "pathfinder"):
        quick = get_protocol("quick", task)
        for section in ("task", "model", "training"):
            for key in set(vars(getattr(quick, section))) - known:
                known.add(key)
                setting = f"{section}.{key}={value}"
                words = ["--task", task, "--attn", "linear", "--protocol", "quick"]
                answered(work, folder, [*words, "--dry-run", "--set", setting])
