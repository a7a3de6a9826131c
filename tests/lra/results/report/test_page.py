import base64
import fnmatch
import gzip
import hashlib
import html
import json
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from lra.cli.main import main
from lra.measure.sheet import write_sheet
from lra.results.corruptions import write_corruptions
from lra.results.record import write_record
from lra.results.report import page as module
from lra.results.report.page import packed, page
from tests.lra.test_corruptions import evaluated

from .made_up import run, sheet, table

ROOT = Path(__file__).parents[4]
HOSTILE = "</script><script>alert(1)</script><!--"


def scripts(text):
    return re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)


def content(text):
    packed = next(body for kind, body in scripts(text) if 'id="content"' in kind)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def results(folder, *runs):
    for one in runs:
        (folder / "runs" / one.name).mkdir(parents=True)
        write_record(folder / "runs" / one.name, one.record)
    return folder


def test_the_page_runs_nothing_but_the_scripts_whose_hashes_it_names_and_asks_for_nothing():
    text = page([run()])
    found = [body for kind, body in scripts(text) if "plain" not in kind]
    assert len(found) == 3 and sum("plotly.js v" in body for body in found) == 1
    digests = (hashlib.sha256(body.encode()).digest() for body in found)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    assert f"default-src 'none'; script-src {hashes};" in html.unescape(text)
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text[: text.index('id="content"')])
    assert "MIT License" in text and len(found[2].splitlines()) <= 150


def test_hostile_names_are_escaped_wherever_they_are_shown():
    text = page([run(HOSTILE, name=HOSTILE, command=HOSTILE)], [HOSTILE], [table()], [HOSTILE])
    assert len(scripts(text)) == 4 and HOSTILE not in text
    (one,) = content(text)["runs"]
    assert one["name"] == HOSTILE
    found = content(text)["parts"] + [cell[0] for cell in one["cells"]]
    assert not any("alert(1)</script" in part for part in found)


def test_a_run_without_a_measurement_is_shown():
    found = content(page([run(measurement=None)]))
    assert any("no, by --no-measure" in part for part in found["parts"])
    assert found["runs"][0]["cells"][5:7] == [["–", None]] * 2


def test_a_table_is_sorted_by_its_values():
    text = page([run()], tables=[table()])
    assert 'data-order="37" class="number"><strong>37.0 ± 0.4</strong></td>' in text
    assert 'data-order="" class="number">–</td>' in text and "<sup>†</sup>" in text


def test_an_installed_package_has_every_file_that_the_page_is_made_of():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["lra.results.report"]
    folder = Path(module.__file__).parent
    files = [path for path in folder.rglob("*.*") if path.suffix not in (".py", ".pyc")]
    assets = [str(path.relative_to(folder)) for path in files]
    assert {"report.js", "report.css", "templates/page.html"} <= set(assets)
    assert all(any(fnmatch.fnmatch(name, pattern) for pattern in patterns) for name in assets)


def test_the_command_writes_one_page_of_the_runs_and_measurements(tmp_path, capsys):
    runs = [run("linear", "listops"), run("linear+gfsa", "listops"), run("linear", "text")]
    folder = results(tmp_path / "mine", *runs)
    (folder / "runs/damaged").mkdir()
    (folder / "runs/damaged/record.json").write_text("{")
    write_sheet(tmp_path / "sheet.json", sheet())
    options = ["--results", str(folder), "--measurements", str(tmp_path / "sheet.json")]
    assert main(["report", *options, "--task", "listops", "--out", str(tmp_path / "out")]) == 0
    written = list((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["index.html"]
    said = capsys.readouterr()
    assert said.out.strip() == str(written[0]) and "skipped: runs/damaged" in said.err
    found = content(written[0].read_text())
    assert sorted(one["cells"][1][1] for one in found["runs"]) == ["linear", "linear+gfsa"]
    text = written[0].read_text()
    for heading in ("Accuracy against training time", "Time and memory against N"):
        assert f"<h3>{heading}</h3>" in text
    assert "runs/damaged/record.json" in text and str(folder / "runs/damaged") not in text


def test_corruptions_and_fractions_have_tables_and_figures(tmp_path):
    whole, half = (
        run(data=replace(run().record.data, train_fraction=fraction)) for fraction in (1.0, 0.5)
    )
    folder = results(tmp_path, whole, half)
    write_corruptions(folder / "runs" / whole.name, evaluated(whole.record))
    (folder / "runs" / half.name / "corruptions.json").write_text("{")
    assert main(["report", "--results", str(folder), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out/index.html").read_text()
    for heading in ("Accuracy by part of the training split", "Accuracy under corruptions"):
        assert f"<h3>{heading}</h3>" in text
    assert "Test accuracy under corruptions, %, ListOps" in text
    assert f"runs/{half.name}/corruptions.json" in text
    assert f"{folder}/runs/{half.name}" not in text


def test_measurements_alone_make_a_page(tmp_path):
    write_sheet(tmp_path / "sheet.json", sheet())
    options = ["--results", str(tmp_path), "--measurements", str(tmp_path / "sheet.json")]
    assert main(["report", *options, "--out", str(tmp_path)]) == 0
    assert len(content((tmp_path / "index.html").read_text())["figures"]) == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "no runs on record under"),
        (["--task", "listop"], "'listop'"),
        (["--measurements", "none.json"], "none.json: No such file or directory"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, words, line):
    assert main(["report", "--results", str(tmp_path), "--out", str(tmp_path), *words]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1
    assert not (tmp_path / "index.html").exists()


def test_without_plotly_the_extra_is_named_before_the_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    folder = results(tmp_path, run())
    assert main(["report", "--results", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "pip install -e '.[report]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_floats_are_rounded_to_six_digits_and_nothing_else_is():
    given = {"a": [0.12345678, 1 / 3e7, 12345678901, True, None], "b": "0.12345678"}
    found = json.loads(gzip.decompress(base64.b64decode(packed(given))))
    assert found == {"a": [0.123457, 3.33333e-08, 12345678901, True, None], "b": "0.12345678"}
