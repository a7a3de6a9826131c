"""The tables of fixed records, byte for byte, and that nothing but the records decides them."""

import dataclasses
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lra.results.comparable import conditions
from lra.results.tables import render, tables_of

from .golden import HERE, RECORDS, texts

ENDINGS = {".md", ".tex", ".csv", ".html", ".txt"}


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix in ENDINGS)


NAMES = names(HERE)


def test_code_and_bytecode_are_no_golden_files(tmp_path):
    for name in ("__pycache__", "__init__.py", "a.md", "b.txt"):
        (tmp_path / name).mkdir()
    assert names(tmp_path) == ["a.md", "b.txt"]


@pytest.fixture(scope="module")
def made():
    return texts()


def test_every_golden_file_is_made(made):
    assert sorted(made) == NAMES and len(NAMES) == 17


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_table_is_as_its_file_has_it(name, made):
    assert made[name] == (HERE / name).read_text(encoding="utf-8"), (
        "renew the files by `python -m tests.lra.results.golden` and read their diff"
    )


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.integers(0, len(RECORDS) - 1), max_size=20))
def test_no_order_and_no_duplicate_changes_a_table(chance, again):
    records = [*RECORDS, *(RECORDS[i] for i in again)]
    chance.shuffle(records)
    assert texts(records) == texts()


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, len(RECORDS) - 1), min_size=1))
def test_a_subsets_tables_are_those_of_its_records_alone(chosen):
    """Records under other conditions, on record too or not, change nothing in a table."""
    records = [RECORDS[i] for i in sorted(chosen)]
    whole = tables_of(records)
    parts = [
        table
        for kept in {conditions(record): None for record in records}
        for table in tables_of([record for record in records if conditions(record) == kept])
    ]
    key = dataclasses.astuple
    assert sorted(map(key, whole), key=repr) == sorted(map(key, parts), key=repr)


def test_of_one_run_on_record_twice_the_table_has_the_later():
    first = RECORDS[0]
    later = dataclasses.replace(
        first,
        finished="2026-01-02T00:00:00+00:00",
        test=dataclasses.replace(first.test, accuracy=0.5),
    )
    for records in ([first, later], [later, first]):
        (table, *_) = tables_of(records, ["accuracy"])
        assert table.rows[0][1].text == "50.0"
        assert table.numbers[0]["n"] == 1


def test_ten_thousand_runs_table_in_ten_seconds():
    runs = [
        dataclasses.replace(
            RECORDS[0], attention=f"linear:i={i}{gfsa}", seed=seed, identity=f"{i}{gfsa}{seed}"
        )
        for i in range(1_000)
        for gfsa in ("", "+gfsa")
        for seed in range(5)
    ]
    started = time.process_time()
    tables = tables_of(runs)
    for style in ("github", "latex", "html"):
        render(tables, style)
    assert time.process_time() - started < 10 and len(tables[1].rows) == 1_000
