"""Attentions × tasks."""

import dataclasses

import pytest

from lra.protocols import override
from lra.results.record import Data
from lra.results.tables import render, tables_of

from ..test_results import failure, record
from .golden import ODD, RECORDS, run

LINEAR = [run("listops", "linear", seed, 0.36 + seed / 100) for seed in range(3)]


def accuracy(records):
    return tables_of(records, ["accuracy"])


def cells(table, attention):
    (row,) = [row for row in table.rows if row[0].text == attention]
    return dict(zip(table.columns, row, strict=True))


def test_a_cell_is_mean_and_sample_deviation_over_seeds():
    (table,) = accuracy(LINEAR)
    cell = cells(table, "linear")["ListOps"]
    assert cell.text == "37.0 ± 1.0" and cell.value == pytest.approx(37.0)
    assert "Means of n = 3 runs of different seeds unless noted; ±" in " ".join(table.caption)
    # √(0.37 · 0.63 / 2000) in points.
    assert cells(table, "linear")["s.e."].value == pytest.approx(1.0796, abs=1e-4)


def test_one_run_has_no_deviation():
    (table,) = accuracy(LINEAR[:1])
    assert cells(table, "linear")["ListOps"].text == "36.0"
    assert table.numbers[0]["std"] is None


def test_tasks_stand_in_the_order_of_lra():
    tasks = ["pathfinder64", "pathx", "pathfinder", "image", "retrieval", "text", "listops"]
    (table,) = accuracy([run(task, "linear", 0, 0.9, source="official") for task in tasks])
    named = ["ListOps", "Text", "Retrieval", "Image", "Pathfinder", "Path-X", "Pathfinder-64"]
    assert table.columns == ("attention", *named, "Avg")


def test_an_average_is_of_complete_rows_alone():
    (table, _) = accuracy(RECORDS)
    assert cells(table, "linear")["Avg"].value == pytest.approx((37.0 + 62.0 + 22.6) / 3)
    assert cells(table, ODD)["Avg"].text == "–"  # it lacks Image
    assert cells(table, "(chance)")["Avg"].text == "–"
    sample = {"source": "sample"}
    (table,) = accuracy([*LINEAR, run("text", "linear", 0, None, make=failure, **sample)])
    assert cells(table, "linear")["Avg"].text == "–"  # its Text failed


def test_the_caption_says_what_an_average_is_over():
    (table, _) = accuracy(RECORDS)
    assert "Avg: over ListOps, Text, Image; a row that lacks one has none." in table.caption


def test_a_task_in_two_columns_has_no_average_and_each_column_says_what_it_is():
    (_, table) = accuracy(RECORDS)
    assert table.columns[1:] == (
        "ListOps (generated)",
        "ListOps (official, task.brackets=drop)",
    )
    assert "No average: one task is in several columns." in table.caption


def test_columns_that_differ_in_the_data_alone_show_their_fingerprints():
    other = record(seed=1, identity="b", data=Data("generated", "0" * 16, {}))
    (table,) = accuracy([record(), other])
    assert table.columns[1:] == ("ListOps (generated, 00000000)", "ListOps (generated, ffffffff)")


@pytest.mark.parametrize(
    ("shares", "text", "marked"),
    [
        ((0.170, 0.172), "17.1 ± 0.1", True),
        ((0.170, 0.360), "26.5 ± 13.4 (1 of 2 learned)", False),
        ((0.350, 0.360), "35.5 ± 0.7", False),
    ],
)
def test_what_did_not_learn_is_marked(shares, text, marked):
    (table,) = accuracy([run("listops", "linear", seed, p) for seed, p in enumerate(shares)])
    cell = cells(table, "linear")["ListOps"]
    assert cell.text == text and (cell.notes == ("†",)) == marked == ("†" in table.notes)


def test_the_best_of_a_column_is_bold_with_its_ties_but_no_rule_and_none_that_did_not_learn():
    runs = [
        run("listops", "linear", 0, 0.3601),
        run("listops", "sdpa", 0, 0.3599),
        run("listops", "softmax", 0, 0.3),
    ]
    (table,) = accuracy(runs)
    assert [row[1].best for row in table.rows] == [True, True, False, False, False, False]
    (table,) = accuracy([run("listops", name, 0, 0.1) for name in ("linear", "sdpa")])
    assert not any(row[1].best for row in table.rows)
    (table,) = accuracy(runs[:1])
    assert not any(row[1].best for row in table.rows)  # the best of one is none


def test_failures_are_counted_by_kind_and_enter_no_figure():
    failures = [failure("softmax", seed, identity=f"s{seed}") for seed in (0, 1)]
    late = failure("linear", 3, "time limit", identity="l3")
    (table,) = accuracy([record(accuracy=0.37), *failures, late])
    assert cells(table, "softmax")["ListOps"].text == "– (2 out of memory)"
    assert cells(table, "softmax")["ListOps"].value is None
    assert cells(table, "linear")["ListOps"].text == "37.0 (1 time limit)"
    (alone,) = accuracy(failures)
    assert "no run has ended with a result." in " ".join(alone.caption)
    assert cells(alone, "(chance)")["ListOps"].text == "10.0"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "skyformer"},
        {"settings": ["training.learning_rate=0.01"]},
        {"precision": "bf16-mixed"},
        {"micro_batch": 8},
    ],
)
def test_other_conditions_have_a_table_of_their_own(changes):
    tables = accuracy([*LINEAR, run("listops", "sdpa", 0, 0.4, **changes)])
    assert len(tables) == 2 and all(len(table.columns) == 3 for table in tables)


def test_titles_captions_and_footers_say_where_a_figure_is_from():
    runs = [run("text", "linear", 0, 0.6, source="sample", settings=["training.batch=16"])]
    (table,) = tables_of(runs, ["accuracy"], " --task text")
    assert table.title == "Test accuracy, %: protocol nystromformer, modified (training.batch=16)"
    said = " ".join((*table.caption, *table.footer))
    assert "made-up data" in said and "LRA under" not in said and "Some CPU, 2 threads" in said
    assert "commit aaaaaaaaaaaa; seeds 0." in said
    assert "`python run_lra.py table accuracy --task text`" in said
    assert "not comparable" in render([table], "csv").splitlines()[1]


def test_the_footer_names_the_processes_that_trained():
    training = LINEAR[0].training
    parts = [
        dataclasses.replace(training.parts[0], commit=digit * 40, device=f"CPU {digit}")
        for digit in "12"
    ]
    resumed = dataclasses.replace(LINEAR[0], training=dataclasses.replace(training, parts=parts))
    (table,) = accuracy([resumed])
    assert table.footer[:2] == tuple(
        f"Machine: CPU {digit}, 2 threads, torch 2.13.0." for digit in "12"
    )
    assert f"commit {'1' * 12}, {'2' * 12}" in table.footer[2]


@pytest.mark.parametrize(
    ("settings", "comparable"),
    [
        (["training.learning_rate=0.5"], "not comparable: left protocol nystromformer in training"),
        (["model.pooling=padded_mean"], "LRA under the small protocol"),
    ],
)
def test_what_left_the_protocol_is_not_called_comparable(settings, comparable):
    (table,) = accuracy([run("listops", "linear", 0, 0.37, settings=settings)])
    assert table.caption[0].startswith(f"ListOps: {comparable}")


def test_an_older_protocol_of_that_name_is_called_so():
    then, _ = override(LINEAR[0].protocol, ["training.steps=77"])
    old = dataclasses.replace(LINEAR[0], protocol=then)
    (table,) = accuracy([old, LINEAR[1]])
    assert len(table.columns) == 3
    assert "protocol nystromformer as it was when this was run" in " ".join(table.caption)
