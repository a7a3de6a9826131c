import base64
import fnmatch
import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from lra.cli.main import main
from lra.measure.sheet import write_sheet
from lra.results.record import write_record
from lra.results.report import page as module
from lra.results.report.page import page

from .made_up import run, sheet, table

ROOT = Path(__file__).parents[4]
HOSTILE = "</script><script>alert(1)</script><!--"


def scripts(text):
    return re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)


def content(text, name="content"):
    return json.loads(next(body for kind, body in scripts(text) if f'id="{name}"' in kind))


def results(folder, *runs):
    for one in runs:
        (folder / "runs" / one.name).mkdir(parents=True)
        write_record(folder / "runs" / one.name, one.record)
    return folder


def test_the_page_has_plotly_once_and_runs_nothing_but_the_scripts_whose_hashes_it_names():
    text = page([run()])
    found = [body for kind, body in scripts(text) if "json" not in kind]
    assert len(found) == 2 and sum("plotly.js v" in body for body in found) == 1
    digests = (hashlib.sha256(body.encode()).digest() for body in found)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    assert f"default-src 'none'; script-src {hashes};" in text
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text[: text.index('id="content"')])


def test_hostile_names_stay_in_the_data():
    one = run(HOSTILE, name=HOSTILE, command=HOSTILE)
    text = page([one], [HOSTILE], [table()], [HOSTILE])
    assert len(scripts(text)) == 4 and "alert(1)</script" not in text
    found = content(text)
    assert found["runs"][0]["attention"] == HOSTILE and found["reasons"] == [HOSTILE]
    assert HOSTILE in content(text, "curves")


def test_what_looks_like_a_place_in_the_template_is_data_too():
    text = page([run(command="{{plotly}} {{script}}")])
    assert content(text)["runs"][0]["command"] == "{{plotly}} {{script}}"


def test_a_table_is_carried_by_value_with_its_marks():
    (found,) = content(page([run()], tables=[table()]))["tables"]
    assert found["rows"][1][1] == {"text": "37.0 ± 0.4", "value": 37, "best": True}
    assert found["rows"][2][1]["notes"] == ["†"] and found["rows"][3][1]["value"] is None
    assert found["tasks"] == ["listops"] and found["facts"][2]["filtered"]


def test_an_installed_package_has_every_file_that_the_page_is_made_of():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["lra.results.report"]
    files = [path.name for path in Path(module.__file__).parent.iterdir() if path.is_file()]
    assets = [name for name in files if not name.endswith(".py")]
    assert set(assets) == {*module.SCRIPTS, "report.html", "report.css"}
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
    assert sorted(one["attention"] for one in found["runs"]) == ["linear", "linear+gfsa"]
    assert [one["kind"] for one in found["tables"]][:3] == ["accuracy", "pairs", "cost"]
    assert {"Accuracy against training time", "Time and memory against N"} <= {
        one["kind"] for one in found["figures"]
    }
    assert len(found["head"]["damaged"]) == 1 and str(tmp_path) not in json.dumps(found["head"])


def test_measurements_alone_make_a_page(tmp_path):
    write_sheet(tmp_path / "sheet.json", sheet())
    options = ["--results", str(tmp_path), "--measurements", str(tmp_path / "sheet.json")]
    assert main(["report", *options, "--out", str(tmp_path)]) == 0
    assert len(content((tmp_path / "index.html").read_text())["figures"]) == 2


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
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    folder = results(tmp_path, run())
    assert main(["report", "--results", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "pip install -e '.[report]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
