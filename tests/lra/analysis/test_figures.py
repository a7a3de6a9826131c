"""Figures and the report of runs that `analyze` has looked at, as a user types it."""

import json
import shutil

import pytest

from lra.cli import main
from tests.lra.results.report.test_page import content

from .conftest import SPECS, folder_of


def figure(results, *words):
    return main(["figure", *words, "--results", str(results), "--out", str(results / "out")])


@pytest.mark.parametrize(
    ("kind", "charts"), [("weights", 1), ("spectra", 2), ("response", 2), ("smoothing", 2)]
)
def test_each_kind_prints_the_files_that_it_wrote(analyzed, capsys, kind, charts):
    assert figure(analyzed, kind) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 * charts and all(name in printed[0] for name in ("listops", "quick"))


def test_runs_that_were_not_analyzed_and_damaged_analyses_are_named(analyzed, tmp_path, capsys):
    results = shutil.copytree(analyzed, tmp_path / "results")
    path = folder_of(results, SPECS[0]) / "analysis.json"
    path.write_text("{")
    assert figure(results, "smoothing", "--attn", "linear") == 2
    error = capsys.readouterr().err
    assert "skipped: " in error and "analysis.json: Invalid JSON" in error
    assert "nothing to draw: no analyzed runs of that --task and --attn" in error
    path.unlink()
    assert figure(results, "smoothing", "--attn", "linear") == 2
    assert main(["report", "--results", str(results), "--out", str(tmp_path)]) == 0


def test_the_report_has_a_section_for_each_and_tables_with_the_run(analyzed, tmp_path):
    assert main(["report", "--results", str(analyzed), "--out", str(tmp_path)]) == 0
    text = (tmp_path / "index.html").read_text()
    for heading in ("Smoothing through depth", "Learned weights of filters", "Spectra"):
        assert f"<h3>{heading}</h3>" in text
    found = content(text)
    name = folder_of(analyzed, SPECS[1]).name
    one = next(run for run in found["runs"] if run["name"] == name)
    html = "".join(found["parts"][part] for part in one["parts"])
    for part in ("‖Taylor − power‖", "HFC/LFC", "predictions changed", "assumes one head"):
        assert part in html
    saved = json.loads((folder_of(analyzed, SPECS[1]) / "analysis.json").read_text())
    traces = next(of for n, of in found["figures"].items() if n.startswith("smoothing"))["traces"]
    drawn = next(one for one in traces if one["name"] == "linear+gfsa:K=4" and one["xaxis"] == "x")
    assert drawn["y"] == pytest.approx([one["high_over_low"] for one in saved["depth"]], rel=1e-5)
