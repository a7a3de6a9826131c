"""analysis.json as it is read: what does not fit together is refused, not drawn."""

import json

import pytest

from attention_zoo import UsageError
from lra.cli import main
from lra.results.analysis import read_analysis
from tests.lra.results.swept import ORDERS, put_analysed

RUN = ORDERS[2]
HEAD = ("layers", 0, "heads", 0)
DAMAGE = [
    (("layers",), [], "at least 1"),
    (("depth",), [], "at least 1"),
    (("layers", 0, "heads"), [], "at least 1"),
    (("layers", 0, "ranks"), [], "at least 1"),
    (("depth", 1, "ranks"), [], "at least 1"),
    (("depth", 1, "singular_values"), [1.0], "singular_values has 1 numbers, not 2"),
    (("frequencies",), [0.0] * 33, "frequencies must be 0, 1/64"),
    ((*HEAD, "eigenvalue_magnitudes"), [1.0], "eigenvalue_magnitudes has 1 numbers, not 3"),
    ((*HEAD, "singular_values"), [], "singular_values has 0 numbers, not 3"),
    ((*HEAD, "response"), [1.0], "response has 1 numbers, not 3"),
    ((*HEAD, "fourier"), [1.0] * 32, "fourier has 32 numbers, not 33"),
    ((*HEAD, "fourier_filtered"), [], "fourier_filtered has 0 numbers, not 33"),
    ((*HEAD, "filters", 0, "initial"), {}, "the weights of GraphFilter are others"),
    ((*HEAD, "filters", 0, "initial", "wK"), [0.0], "the weights of GraphFilter are others"),
]


@pytest.mark.parametrize(("place", "value", "message"), DAMAGE)
def test_lists_that_are_empty_or_do_not_match_are_refused(tmp_path, place, value, message):
    folder = put_analysed(tmp_path, RUN, 0.5)
    assert read_analysis(folder, RUN) is not None
    damage(folder, place, value)
    with pytest.raises(UsageError, match=rf"analysis.json: .*{message}"):
        read_analysis(folder, RUN)


def damage(folder, place, value):
    path = folder / "analysis.json"
    content = json.loads(path.read_text())
    part = content
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    path.write_text(json.dumps(content))


def test_figures_and_the_report_skip_them(tmp_path, capsys):
    damage(put_analysed(tmp_path, RUN, 0.5), ("layers",), [])
    words = ["--results", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["figure", "smoothing", *words]) == 2
    assert "skipped: " in capsys.readouterr().err
    assert main(["report", *words]) == 0
    assert "skipped: " in capsys.readouterr().err
