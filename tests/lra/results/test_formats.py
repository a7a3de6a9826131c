"""Tables as Markdown, LaTeX, CSV and HTML: nothing in them is read as markup."""

import csv
import io
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.protocols import PROTOCOLS, get_protocol
from lra.results.published import read_published
from lra.results.table import Cell, Table
from lra.results.tables import render, tables_of
from lra.results.tables.by import by_tables
from lra.results.tables.groups import LARGE, NOT_LEARNED, SPREAD
from lra.tasks import TASKS
from tests.lra.test_corruptions import RUNS as EVALUATED
from tests.lra.test_corruptions import found_of
from tests.lra.test_fractions import RUNS as FRACTIONS

from .golden import RECORDS
from .swept import ALL, apart

# tabulate takes a cell of \x01 for a rule; no name or value has one.
characters = st.characters(blacklist_categories=("Cs",), blacklist_characters="\x01")
text = st.text(characters, min_size=1, max_size=12)


def table_of(words, kind="accuracy"):
    rows = ((Cell(words, words), Cell("1.0", 1.0, best=True, notes=("†",))),)
    numbers = ({"attention": words, "value": 1.0},)
    return Table(kind, words, ("a", words), rows, (words,), (words,), {"†": words}, numbers)


class Reader(HTMLParser):
    """What a browser shows in the cells of a table, and the tags that it sees."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.cells = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@settings(max_examples=60, deadline=None)
@given(text)
def test_html_shows_what_was_said_and_has_no_tag_of_it(words):
    found = Reader(render([table_of(words)], "html"))
    known = {"figure", "table", "caption", "thead", "tbody", "tr", "td", "th", "b", "sup", "p"}
    assert set(found.tags) <= known | {"figcaption", "code", "style"}
    assert found.cells[2].strip() == re.sub(r"\s+", " ", words).strip()


@settings(max_examples=60, deadline=None)
@given(text)
def test_markdown_has_one_row_a_line_and_its_columns(words):
    lines = [line for line in render([table_of(words)], "github").splitlines() if line[:1] == "|"]
    header, _, row = lines[:3]
    for line in (header, row):
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3


@settings(max_examples=60, deadline=None)
@given(text)
def test_latex_has_no_bare_special_character(words):
    page = render([table_of(words)], "latex")
    body = page[page.index(r"\midrule") : page.index(r"\bottomrule")]
    bare = re.sub(r"\\[&%$#_^{}]|\\[a-zA-Z]+|\$[-\\a-zA-Z0-9^_{}]*\$|\\\\", "", body)
    assert not re.search(r"[%$#_^~\\]", bare) and bare.count("&") == 1
    assert bare.count("{") == bare.count("}")


def test_latex_of_all_that_is_said_is_latin_1():
    """pdflatex stops at characters that it does not know."""
    protocols = [get_protocol(name, task) for name in PROTOCOLS for task in TASKS]
    said = [note.text for note in (LARGE, NOT_LEARNED, SPREAD)]
    for protocol in protocols:
        said += [protocol.source, protocol.comparable, *(d.text for d in protocol.deviations)]
    for row in read_published():
        said += [row.paper, row.table, row.model, row.note, row.differs]
    page = render([table_of(words) for words in dict.fromkeys(said)], "latex")
    page += render(tables_of(RECORDS), "latex")
    for option in ("K", "mode", "layers", "features"):
        page += render(by_tables(option, ALL, {id(one): apart(0.5) for one in ALL[:5]}), "latex")
    parts = render(tables_of(FRACTIONS, ["fractions"]), "latex")
    corrupted = render(tables_of(EVALUATED, ["corruptions"], "", found_of(EVALUATED)), "latex")
    assert parts and corrupted
    (page + parts + corrupted).encode("latin-1")


def test_mathematics_in_latex_is_in_formulas():
    page = render([table_of("±√n → ε … ≤ Δ")], "latex")
    assert r"$\pm$$\surd$n $\to$ $\varepsilon$ \dots{} $\leq$ $\Delta$" in page
    assert r"$\Vert$$\bar{A}$$^{K}$$\Vert$$_{2}$" in render([table_of("‖Āᴷ‖₂")], "latex")


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_csv_gives_back_what_went_in(words):
    (row,) = csv.DictReader(io.StringIO(render([table_of(words)], "csv")))
    assert row == {"attention": words, "value": "1.0"}


def test_csv_is_of_one_kind():
    with pytest.raises(UsageError, match="one kind of table a file: ask for one of accuracy, cost"):
        render([table_of("a"), table_of("a", "cost")], "csv")


def test_csv_of_several_tables_says_of_each_row_what_it_is_of():
    frame = pd.read_csv(io.StringIO(render(tables_of(RECORDS, ["cost"]), "csv")))
    linear = frame[(frame.attention == "linear") & (frame.task == "listops")]
    places = linear[["protocol", "modified", "source", "data", "machine", "threads"]]
    assert len(linear) == 3 and not places.duplicated().any()
    frame = pd.read_csv(io.StringIO(render(tables_of(RECORDS, ["accuracy"]), "csv")))
    key = ["protocol", "modified", "source", "data", "task", "attention"]
    assert not frame[key].duplicated().any()
    assert frame.accuracy.dropna().between(0, 100).all()


def test_best_and_marks_are_shown_in_each_format():
    table = table_of("x")
    assert "**1.0 †**" in render([table], "github")
    assert r"\textbf{1.0\textsuperscript{\dag{}}}" in render([table], "latex")
    assert "<b>1.0<sup>†</sup></b>" in render([table], "html")
