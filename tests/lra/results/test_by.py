"""Sweeps of an option among what is on record, and their tables."""

import random
from dataclasses import replace

import pytest

from attention_zoo import UsageError
from lra.results.analysis import Gap, write_analysis
from lra.results.distances import taylor_distance
from lra.results.sweeps import sweeps
from lra.results.tables.by import by_tables
from tests.lra.results.analyses import analysis, head, layer, state
from tests.lra.results.swept import ALL, FEATURES, LAYERS, ORDERS, put_analysed, swept
from tests.lra.test_results import ENVIRONMENT, failure

FORMS = ("linear+gfsa", "linear+gfsa:K=5,mode=power")


def cells(table, *columns):
    places = [table.columns.index(name) for name in columns]
    return [[row[place].text for place in places] for row in table.rows]


def test_a_sweep_is_what_differs_in_one_option_and_in_the_form_of_the_filter():
    (orders,) = sweeps("K", ALL)
    assert (orders.name, orders.modes, orders.values) == (
        "linear+gfsa",
        ["taylor", "power"],
        [2, 3, 5],
    )
    assert orders.attentions[3] == {"taylor": "linear+gfsa"}
    assert orders.attentions[5]["power"] == "linear+gfsa:K=5,mode=power"
    assert orders.base.attention == "linear" and orders.numeric
    forms = sweeps("mode", ALL)
    assert [(one.name, one.values) for one in forms] == [
        ("linear+gfsa:K=2", ["power", "taylor"]),
        ("linear+gfsa:K=5", ["power", "taylor"]),
    ]
    (layers,) = sweeps("layers", ALL)
    assert layers.values == [frozenset({1, 2}), "all", "even"] and not layers.numeric


def test_an_option_is_the_last_filters_or_the_attentions():
    alone, filtered = sweeps("features", ALL)
    assert (alone.name, alone.base, filtered.name) == ("performer", None, "performer+gfsa")
    assert filtered.attentions[64] == {"taylor": "performer:features=64+gfsa"}
    assert filtered.base is None  # another for each value
    runs = [swept(f"linear+gfsa:K={K}+gfsa", 0, 0.3) for K in (2, 4)]
    runs += [swept(f"linear+gfsa:K=2+gfsa:K={K}", 0, 0.3) for K in (4, 5)]
    (last,) = sweeps("K", runs)
    assert (last.name, last.values) == ("linear+gfsa:K=2+gfsa", [3, 4, 5])


def test_what_is_not_comparable_is_in_sweeps_of_its_own():
    other = [replace(one, precision="bf16-mixed", identity=f"b{one.identity}") for one in ORDERS]
    assert len(sweeps("K", [*ORDERS, *other])) == 2
    with pytest.raises(UsageError, match="no two attentions on record differ in K alone"):
        sweeps("K", [ORDERS[2], *other[5:6]])
    with pytest.raises(UsageError, match="in K alone, which is 3, 5"):  # in mode, too
        sweeps("K", [one for one in ORDERS if one.attention in FORMS])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("k", "unknown option of the attentions on record 'k'; did you mean 'K'? (choose from K, "),
        ("w0", "no two attentions on record differ in w0 alone, which is 0.0; "),
        ("learn", "which is w0/w1/wK; run some with --attn, learn={a,b} in the spec"),
    ],
)
def test_an_option_that_makes_no_sweep_is_one_line(option, message):
    with pytest.raises(UsageError) as error:
        sweeps(option, ALL)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_row_a_value_columns_by_form_and_the_base_below():
    (table,) = by_tables("K", ALL)
    assert table.columns == (
        "K",
        *("taylor accuracy %", "power accuracy %", "taylor step ms", "power step ms"),
        *("taylor × time", "power × time", "taylor distance", "power distance"),
    )
    assert table.title == "linear+gfsa by K, ListOps: protocol nystromformer"
    assert cells(table, "K", "taylor accuracy %", "power accuracy %") == [
        ["2", "36.0 ± 1.4 (n=2)", "35.1"],
        ["3", "36.0", "–"],
        ["5", "33.0", "38.0"],
        ["(linear)", "35.0 ± 1.4 (n=2)", "35.0 ± 1.4 (n=2)"],
    ]
    assert [row[2].best for row in table.rows] == [False, False, True, False]
    assert [row[0].value for row in table.rows] == [2, 3, 5, "(linear)"]


def test_time_is_in_turns_where_it_was_and_marked_where_not():
    (table,) = by_tables("K", ALL)
    assert cells(table, "taylor step ms", "taylor × time") == [
        ["111 (110–112)", "1.15 (1.13–1.17; A/A 0.98–1.02)"],
        ["110 (109–111)", "1.08"],  # over the base's median of 102
        ["110 (109–111)", "1.30 (1.28–1.32; A/A 0.98–1.02)"],
        ["102 (101–103)", "–"],
    ]
    assert table.rows[1][5].notes == ("¶",)


def test_a_filter_alone_has_no_columns_of_forms_and_features_none_of_distance():
    (table,) = by_tables("layers", [one for one in ALL if "power" not in one.attention])
    assert table.columns == ("layers", "accuracy %", "step ms", "× time", "distance")
    alone, filtered = by_tables("features", FEATURES)
    assert alone.columns == ("features", "accuracy %", "step ms")
    assert cells(filtered, "features", "× time") == [["64", "1.25"], ["256", "1.10"]]


def test_distances_are_means_over_the_runs_of_which_they_are_known():
    first, second = (one for one in ORDERS if one.attention == "linear+gfsa:K=2")
    (table,) = by_tables("K", ALL, {id(first): 0.5, id(second): 0.75})
    assert cells(table, "taylor distance", "power distance") == [["0.625", "–"], *[["–", "–"]] * 3]
    (table,) = by_tables("K", ALL, {id(first): 0.5})
    assert cells(table, "taylor distance")[0] == ["0.5"]


def test_csv_has_a_row_an_attention_and_the_base():
    (table,) = by_tables("K", ALL)
    rows = {row["attention"]: row for row in table.numbers}
    assert len(rows) == len(table.numbers) == 6
    row = rows["linear+gfsa:K=5,mode=power"]
    assert (row["option"], row["value"], row["mode"]) == ("K", 5, "power")
    assert (row["accuracy"], row["step median ms"], row["times"]) == (38.0, 120.0, 1.2)
    assert (rows["linear"]["value"], rows["linear"]["mode"]) == (None, None)


def test_each_machine_has_its_rows_of_time():
    other = replace(ENVIRONMENT, device="Other CPU")
    again = [replace(one, environment=other) for one in ORDERS if "K=5" in one.attention]
    (table,) = by_tables("K", [*ORDERS, *again])
    assert table.columns[-1] == "machine"
    found = cells(table, "K", "taylor step ms", "machine")[2:4]
    assert [row[:2] for row in found] == [["5", "110 (109–111)"]] * 2
    assert [row[2].partition(",")[0] for row in found] == ["Other CPU", "Some CPU"]
    assert [row[0].text for row in table.rows] == ["2", "3", "5", "5", "(linear)"]


def test_runs_without_a_result_are_said_and_unmeasured_ones_have_dashes():
    bare = [replace(one, measurement=None) for one in LAYERS]
    bare.append(failure("linear+gfsa:layers=odd"))
    (table,) = by_tables("layers", bare)
    assert table.columns == ("layers", "accuracy %", "distance")
    assert cells(table, *table.columns) == [
        *(["1/2", "36.0", "–"], ["even", "35.0", "–"]),
        ["odd", "– (1 out of memory)", "–"],
    ]


def test_no_order_of_records_changes_a_table():
    shuffled = random.Random(0).sample(ALL, len(ALL))
    for option in ("K", "mode", "layers", "features"):
        assert by_tables(option, shuffled) == by_tables(option, ALL)


def test_an_analysis_is_read_by_its_weights(tmp_path):
    run = ORDERS[2]
    assert taylor_distance(put_analysed(tmp_path, run, name="none"), run) is None
    assert taylor_distance(put_analysed(tmp_path, run, 0.5, 1.0, name="two"), run) == 0.75
    assert taylor_distance(put_analysed(tmp_path, run, 0.5, None, name="inf"), run) is None
    gaps = (Gap(3, "taylor", 1.5, 1.0), Gap(3, "taylor", 2.5, 1.0), None)
    stacked = [replace(state(), gap=gap) for gap in gaps]
    found = analysis(layers=[layer(heads=[head(filters=stacked)]), layer(heads=[head()])])
    folder = put_analysed(tmp_path, run, name="stacked")
    write_analysis(folder, replace(found, checkpoint=run.training.checkpoint))
    assert taylor_distance(folder, run) == 2.5
    old = put_analysed(tmp_path, run, 0.5, checkpoint="1" * 64, name="old")
    assert taylor_distance(old, run) is None
    for text in ("{", "{}", "[]"):
        (old / "analysis.json").write_text(text)
        with pytest.raises(UsageError, match=r"analysis.json: "):
            taylor_distance(old, run)
