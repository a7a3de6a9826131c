import dataclasses

import pytest

from lra.protocols import get_protocol
from lra.results.published import read_published
from lra.results.record import Data
from lra.results.report import head
from lra.results.summary import accuracy_groups
from lra.results.tables import published_tables

from .made_up import failed, run, runs

QUICK = get_protocol("quick", "listops")


def head_of(runs):
    """Facts, what stands beside LRA, the table of what is comparable, that of machines."""
    records = [one.record for one in runs]
    published = read_published()
    compared = [(one, head.comparison(one, published)) for one in accuracy_groups(records)]
    tables = head.overview(records, compared)
    return head.facts(records), head.beside_lra(compared), *map(texts, tables)


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_what_there_is_is_counted():
    facts, *_ = head_of([*runs(("softmax", "linear"), ("listops",)), failed()])
    counts = ["13 runs", "2 tasks: listops, text", "4 attentions, 2 with a filter"]
    assert facts == [*counts, "1 machine", "1 without a result"]


def test_runs_of_other_protocols_data_or_settings_stand_in_groups_of_their_own():
    _, _, comparable, _ = head_of(
        [
            run("linear"),
            run("softmax"),
            run("linear", protocol=QUICK),
            run("linear", data=Data("official", "e" * 16, {})),
            run("linear", modified={"training.steps": 10}),
            run("linear", precision="bf16-mixed"),
        ]
    )
    assert sorted(row[4] for row in comparable) == ["1", "1", "1", "1", "2"]


def test_which_runs_may_stand_beside_published_tables_is_said():
    as_theirs = {"modified": {"task.brackets": "drop"}}
    assert head_of([run(**as_theirs)])[1].startswith("All of these runs may be compared")
    assert head_of([run()])[1].startswith("None of these runs may be compared")
    left = {"modified": {"task.brackets": "drop", "training.learning_rate": 0.5}}
    _, beside, comparable, _ = head_of([run(**as_theirs), run(**left)])
    assert beside.startswith("1 of these runs may be compared")
    said = [row[5] for row in comparable]
    left = "left protocol nystromformer in training.learning_rate"
    assert sum(left in text for text in said) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "other settings of the data"),
        ({"data": Data("generated", "e" * 16, {})}, "ours is generated data, theirs official"),
        ({"modified": {"task.brackets": "drop"}}, "LRA under the small protocol"),
        ({"protocol": QUICK}, "not comparable"),
    ],
)
def test_the_head_says_the_same_as_the_table_of_published_figures(changes, said):
    one = run("softmax", **changes)
    tables, _ = published_tables(accuracy_groups([one.record]), read_published())
    ((*_, text),) = head_of([one])[2]
    assert said in text
    assert text.startswith("not comparable") == (not tables)


def test_machines_stand_apart():
    one, other = run("linear"), run("softmax")
    threads = dataclasses.replace(other.record.environment, threads=8)
    other = dataclasses.replace(
        other, record=dataclasses.replace(other.record, environment=threads)
    )
    assert [row[2] for row in head_of([one, other])[3]] == ["1", "1"]


def test_failures_are_listed_with_their_reason_and_lead_to_their_runs():
    table, links = head.failures([run(), failed(reason="it was too large", name="lost")])
    assert texts(table) == [
        ["softmax", "text", "0", "nystromformer", "out of memory", "it was too large"]
    ]
    assert links == ["lost"]
