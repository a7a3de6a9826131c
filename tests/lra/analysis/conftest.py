import shutil

import pytest

from lra.cli import main
from lra.config import Place
from lra.protocols import override
from lra.run.run import Teller, run
from tests.lra.tiny import PROTOCOL, config, store

SPECS = ("linear", "linear+gfsa:K=4", "softmax+gfsa:K=4,mode=power,layers=2")
DATA = store().path.parent.parent
# Weights that leave their start, in as many steps.
PROTOCOL_HERE, _ = override(PROTOCOL, ["training.learning_rate=0.02"])


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A results folder with a run of each of SPECS."""
    results = tmp_path_factory.mktemp("trained")
    silent = Teller(say=lambda line: None, report=lambda report: None)
    for spec in SPECS:
        variant = config(spec, protocol=PROTOCOL_HERE)
        run(variant, Place(results, DATA), silent, measure=False)
    return results


@pytest.fixture(scope="session")
def analyzed(trained, tmp_path_factory):
    """The same after `analyze` of all of them."""
    results = tmp_path_factory.mktemp("analyzed") / "results"
    shutil.copytree(trained, results)
    names = [folder.name for folder in (results / "runs").iterdir() if folder.is_dir()]
    assert analyze(results, *names, "--examples", "5") == 0
    return results


@pytest.fixture
def results(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "results")


def analyze(results, *words):
    return main(["analyze", *words, "--results", str(results), "--data-dir", str(DATA)])


def folder_of(results, spec):
    return config(spec, protocol=PROTOCOL_HERE).directory(results)
