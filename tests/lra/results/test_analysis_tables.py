"""The tables of an analysis, and what stands under them."""

from dataclasses import replace

import pytest

from lra.results.analysis import Gap, Swap
from lra.results.tables import render
from lra.results.tables.analysis import analysis_tables, change
from lra.training.evaluation import Evaluation
from tests.lra.results.analyses import analysis, filtered, head, layer, state


def heads_of(*states, response=(1.5, 0.75, 0.5), **subset):
    heads = [head(filters=list(states), response=response)]
    return analysis_tables(analysis("x", layers=[layer(1, heads)], **subset))[0]


def cell(table, name):
    return table.rows[0][table.columns.index(name)].text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (0.0, 0.00271, "0 → 0.00271"),
        (1.0, 1.00311, "1 → 1.003"),
        (1.0, 1.00001, "1 → 1.00001"),
        (-0.5, -0.5, "−0.5 → −0.5"),
        (1.0, 1 + 1e-9, "1 → 1"),
    ],
)
def test_a_weight_has_its_start_and_the_digits_that_it_takes(start, end, text):
    assert change(start, end) == text


def test_of_stacked_filters_each_is_told():
    first, second = (
        replace(state(0.25, "zero"), moved=3.0),
        replace(state(0.5), moved=4.0, gap=None),
    )
    table = heads_of(first, second)
    assert cell(table, "weights") == "w0 0 → 0, wK 0 → 0.25; w0 0 → 0, wK 0 → 0.5"
    assert cell(table, "moved") == "5" and cell(table, "collapsed to") == "zero; no"
    assert cell(table, "‖Taylor − power‖ / ‖power‖") == "0.25"
    text = " ".join(table.caption)
    assert "5 on average" in text and "in spectral norm, of the first filter." in text
    listed = replace(first, initial={"c": [0.0, 1.0]}, learned={"c": [0.5, 1.0]})
    assert cell(heads_of(listed, first), "weights") == "–; w0 0 → 0, wK 0 → 0.25"
    assert "weights" not in heads_of(listed, listed).columns
    assert "first filter" not in " ".join(heads_of(first).caption)


def test_only_columns_with_numbers_are_there_and_explained():
    """A filter that is no polynomial: no verdict, no distance, no form."""
    mean = replace(state(), verdict=None, scale=None, distance=None, gap=None)
    for table in (heads_of(mean, response=None), heads_of(response=None)):
        text = " ".join([*table.columns, *table.caption]).lower()
        assert not any(word in text for word in ("collapsed", "distance to", "taylor"))
    bare = replace(mean, initial={}, learned={}, moved=0.0)
    assert not {"weights", "moved"} & set(heads_of(bare, response=None).columns)
    text = " ".join(heads_of(state()).caption)
    assert all(word in text for word in ("Collapsed to:", "Distance to c Ā:", "Taylor and power:"))
    assert "‖Ā‖: its spectral norm" in text


def test_captions_are_read_as_they_are_and_explain_the_hidden_states():
    text = render(analysis_tables(filtered()), "github")
    lines = [line for line in text.splitlines() if not line.startswith("|")]
    assert "\\" not in "".join(lines)
    for name in ("HFC/LFC:", "Token cosine:", "Effective rank:"):
        assert any(name in line for line in lines)


def test_short_sequences_are_said_to_be_written_down():
    said = "of sequences of no more tokens than that, from Ā, written down"
    assert said in heads_of(shortest=8).caption[0]
    assert said not in heads_of(shortest=9).caption[0]
    assert heads_of(shortest=8, longest=8).caption[0].startswith("Spectra from Ā, written down.")


def test_filters_of_both_forms_are_changed_to_neither():
    evaluations = Evaluation(1.0, 0.5, 16), Evaluation(1.1, 0.25, 16)
    swaps = [Swap("mixed", "val subset", *evaluations, 0.5)]
    table = analysis_tables(filtered(swaps=swaps))[-1]
    assert cell(table, "changed to") == "mixed"
    assert "Each filter of K ≥ 3 has the other of its two forms" in table.caption[0]
    assert "mixed: some had one, some the other" in table.caption[0]
    assert "mixed" not in analysis_tables(filtered())[-1].caption[0]


def test_the_gap_of_a_power_that_is_zero_is_missing():
    table = heads_of(replace(state(), gap=Gap(3, "taylor", 0.5, 0.0)))
    assert "‖Taylor − power‖ / ‖power‖" not in table.columns
