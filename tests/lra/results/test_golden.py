"""Tables of fixed records, byte for byte, and that nothing but the records decides them."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lra.results.comparable import conditions
from lra.results.tables import tables_of

from .golden import HERE, RECORDS, texts

TEXTS = texts()


@pytest.mark.parametrize("name", TEXTS)
def test_a_golden_table_is_as_its_file_has_it(name):
    assert TEXTS[name] == (HERE / name).read_text(encoding="utf-8"), (
        "renew the files by `python -m tests.lra.results.golden` and read their diff"
    )


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.integers(0, len(RECORDS) - 1), max_size=20))
def test_no_order_and_no_duplicate_changes_a_table(chance, again):
    records = [*RECORDS, *(RECORDS[i] for i in again)]
    chance.shuffle(records)
    assert tables_of(records) == tables_of(RECORDS)


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
