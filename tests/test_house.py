"""What stands in several places says the same, and imports point down."""

import ast
import re
import tomllib

from attention_zoo import __version__
from lra.system.environment import ROOT


def test_one_version():
    stated = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    newest = re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert stated[1] == newest[1] == __version__


def test_one_licence():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT" and (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "\nlicense: MIT\n" in (ROOT / "CITATION.cff").read_text()


# As in docs/architecture.md, from the top; what stands under all of lra is not among them.
LAYERS = (
    "cli",
    "grid",
    "analysis",
    "run",
    "results",
    "measure",
    "training",
    "config",
    "model",
    "protocols",
)
LAYERS += ("tasks", "data", "jobs", "system")


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_imports_point_down():
    files = [
        file for name in ("attention_zoo", "gfsa", "lra") for file in (ROOT / name).rglob("*.py")
    ]
    assert len(files) > 150
    for file in files:
        package, inside = file.relative_to(ROOT).parts[:2]
        layer = inside.removesuffix(".py")
        for module in imported(file):
            root, *path = module.split(".")
            assert not (package == "attention_zoo" and root in ("gfsa", "lra")), (file, module)
            assert not (package == "gfsa" and root == "lra"), (file, module)
            assert not (package != "lra" and root == "pytorch_lightning"), (file, module)
            trained = package == "lra" and layer in ("training", "model", "run", "measure")
            assert not (trained and module.startswith("gfsa.analysis")), (file, module)
            if root == "lra" and layer in LAYERS and path[0] in LAYERS:
                assert LAYERS.index(path[0]) >= LAYERS.index(layer), (file, module)
