"""A column is one entry in its kind's list, and has its place in every format."""

import csv
import io
from dataclasses import replace

import pytest

from lra.measure.sheet import read_sheet
from lra.results.table import Column, Note, Table
from lra.results.tables import FORMATS, accuracy, cost, pairs, render, tables_of
from lra.results.tables.sheet import sheet_tables
from lra.system.environment import ROOT

from .golden import FILTER, RECORDS, costing, run

RUNS = [
    run("listops", "linear", 0, 0.36, **costing(100.0)),
    run("listops", "linear+gfsa", 0, 0.38, **costing(140.0, **FILTER)),
]
STRANGERS = {
    "cost": (cost, lambda row: len(row.summary.attention) / 7),
    "pairs": (pairs, lambda row: len(row.attention) / 7),
    "accuracy": (accuracy, lambda row: len(row.summary.attention) / 7),
}


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("kind", STRANGERS)
def test_a_strangers_column_is_one_entry(monkeypatch, kind, style):
    module, value = STRANGERS[kind]
    column = Column("length_of", value, unit="%", format="{:.1f}".format)
    monkeypatch.setattr(module, "COLUMNS", [*module.COLUMNS, column])
    text = render(tables_of(RUNS, [kind]), style)
    assert ("length\\_of \\%" if style == "latex" else "length_of %") in text
    assert (str(11 / 7) if style == "csv" else "1.6") in text  # csv has it in full


def test_a_metric_with_a_best_has_a_column_a_task(monkeypatch):
    loss = Column("loss", lambda one: None if one.rule else -(one.summary.mean or 0), best=max)
    monkeypatch.setattr(accuracy, "COLUMNS", [*accuracy.COLUMNS, loss])
    (table, _) = tables_of(RECORDS, ["accuracy"])
    tasks = ("ListOps", "Text", "Image")
    named = [name for task in tasks for name in (task, f"{task} loss")]
    assert table.columns == ("attention", *named, "Avg")
    assert [cell.best for cell in table.rows[0]] == [*[False] * 4, True, False, True, False]


ROWS = [("a", 1.04), ("b", 1.0), ("c", 3.0), ("d", None)]


def made(**changes):
    column = Column("x", lambda row: row[1], format="{:.1f}".format, **changes)
    return Table.of("kind", "title", [column], ROWS)


def test_the_best_is_marked_with_what_reads_the_same_but_nothing_that_its_note_excludes():
    mark = Note("†", "wrong", best=False)
    assert [cell.best for (cell,) in made().rows] == [False] * 4
    assert [cell.best for (cell,) in made(best=min).rows] == [True, True, False, False]
    table = made(best=max, notes=lambda row: [mark] if row[0] == "c" else [])
    assert [cell.best for (cell,) in table.rows] == [True, True, False, False]
    assert table.rows[2][0].notes == ("†",) and table.notes == {"†": "wrong"}


def test_a_cell_is_its_figure_what_follows_it_and_whether_it_is_separable():
    table = made(more=lambda row: f" ({row[0]})", separable=lambda row: row[0] == "a" or None)
    assert [cell.text for (cell,) in table.rows] == ["1.0 (a)", "1.0 (b)", "3.0 (c)", "– (d)"]
    assert made(separable=lambda row: False).rows[3][0].text == "–, not separable"


def test_a_column_that_is_not_shown_is_in_csv_alone():
    table = made(shown=False, key="y")
    assert table.columns == () and [row["y"] for row in table.numbers] == [1.04, 1.0, 3.0, None]
    assert made(shown=lambda rows: len(rows) > 4).columns == ()


def test_a_run_that_was_not_measured_has_a_dash_for_every_cost():
    bare = [replace(one, measurement=None) for one in RUNS]
    assert tables_of(bare, ["cost"]) == []
    (table,) = tables_of(bare, ["pairs"])
    assert [cell.text for cell in table.rows[0][2:]] == ["+2.0", "–, not separable", "1", *"––––"]
    (table,) = tables_of([RUNS[0], bare[1]], ["cost"])
    assert [cell.text for cell in table.rows[1][1:]] == ["0 (1 not measured)", *"–––––––––"]
    seeds = [RUNS[0], replace(bare[0], seed=1, identity="b")]
    (table,) = tables_of(seeds, ["cost"])
    assert [cell.text for cell in table.rows[0][1:3]] == ["1 (1 not measured)", "100 (99–101)"]
    (row,) = csv.DictReader(io.StringIO(render([table], "csv")))
    assert (row["n"], row["step median ms"], row["parameters"]) == ("1", "100.0", "209802")


def test_a_sheet_flags_wide_spreads_and_shows_a_status_without_figures():
    sheet = read_sheet(ROOT / "results/reference/layers-cpu/measure.json")
    lost = replace(
        sheet.rows[1], status="out of memory", reason="1 | 2", forward=None, training=None
    )
    lost = replace(lost, training=None, memory=None, kernels=None, parameters=None)
    (table, growth) = sheet_tables(replace(sheet, rows=[sheet.rows[0], lost, *sheet.rows[2:]]))
    assert [cell.text for cell in table.rows[0][:4]] == [
        *("linear", "1,024", "1.17 (1.09–1.24)", "3.11 (2.81–3.34)"),
    ]
    assert [cell.notes for cell in table.rows[2][2:4]] == [("§",), ("§",)]
    assert [cell.text for cell in table.rows[1][2:]] == [*"––––––––", "out of memory: 1 | 2"]
    assert growth.rows[0][2].text.startswith("0.8") and growth.rows[0][3].text == "N"
