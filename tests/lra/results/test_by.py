"""Sweeps of an option among what is on record, and their tables."""

import random
from dataclasses import replace

import pytest

from attention_zoo import UsageError
from attention_zoo.registry import FILTERS
from lra.results.analysis import Gap, write_analysis
from lra.results.distances import taylor_distance
from lra.results.sweeps import sweeps
from lra.results.tables.by import by_tables
from tests.lra.results.analyses import analysis, head, layer, state
from tests.lra.results.swept import ALL, FEATURES, LAYERS, ORDERS, apart, put_analysed, swept
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
        *("taylor × time", "power × time", "distance, taylor runs", "distance, power runs"),
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
    both = "distance, taylor runs", "distance, power runs"
    first, second = (one for one in ORDERS if one.attention == "linear+gfsa:K=2")
    (table,) = by_tables("K", ALL, {id(first): apart(0.5), id(second): apart(0.75)})
    assert cells(table, *both) == [["0.625", "–"], *[["–", "–"]] * 3]
    (line,) = (line for line in table.caption if line.startswith("Distance"))
    assert "for the Ā that each run learned, whichever form it used" in line
    assert "here on 16 examples of the validation split (seed 0), 160 tokens." in line
    (table,) = by_tables("K", ALL, {id(first): apart(0.5)})
    assert cells(table, both[0])[0] == ["0.5"]


def test_distances_of_different_subsets_are_not_side_by_side():
    two, again, power, three = ORDERS[2:6]
    cut = {"tokens": 80, "length": 5}
    found = {id(two): apart(0.5), id(again): apart(9.0, **cut), id(power): apart(0.5)}
    (table,) = by_tables("K", ALL, found | {id(three): apart(0.1, **cut)})
    shown = [(row[7].text, row[7].notes) for row in table.rows]
    assert shown == [("0.5", ("*",)), ("–", ("*",)), ("–", ()), ("–", ())]
    assert "left out: `analyze` all with the same --examples and --length" in table.notes["*"]
    rows = {row["attention"]: row for row in table.numbers}
    subset = "16 examples of the validation split (seed 0), 160 tokens"
    for name, distance in (("linear+gfsa:K=2", 0.5), ("linear+gfsa", None), ("linear", None)):
        row = rows[name]
        assert (row["distance"], row["distance_subset"]) == (distance, distance and subset)
    (table,) = by_tables("K", ALL, {id(three): apart(0.1, **cut)})
    assert "160" not in str(table.caption) and "80 tokens, each sequence cut to 5" in str(table)
    few = {id(two): apart(0.5), id(three): apart(0.1, **cut)}  # of as many the larger
    assert cells(by_tables("K", ALL, few)[0], "distance, taylor runs")[:2] == [["0.5"], ["–"]]


def test_mode_and_distance_are_of_the_filter_that_has_the_option():
    runs = [
        swept(f"linear+gfsa{mode}+poly:K={K}", 0, 0.3)
        for K in (2, 5)
        for mode in ("", ":mode=power")
    ]
    found = sweeps("K", runs)
    assert [(one.name, one.modes, one.filter) for one in found] == [
        ("linear+gfsa+poly", [""], "poly"),
        ("linear+gfsa:mode=power+poly", [""], "poly"),
    ]
    for table in by_tables("K", runs, {id(one): apart(0.5) for one in runs}):
        assert table.columns == ("K", "accuracy %", "step ms")
    (forms,) = sweeps("mode", [*runs[:2], *ORDERS[:1]])
    assert (forms.filter, forms.values) == ("gfsa", ["power", "taylor"])
    (table,) = by_tables("mode", runs[:2], {id(runs[0]): apart(0.5)})
    assert cells(table, "mode", "distance") == [["power", "–"], ["taylor", "0.5"]]
    assert {one.filter for one in sweeps("features", FEATURES)} == {None, "gfsa"}


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

    def of(folder, run=run):
        return (found := taylor_distance(folder, run)) and found.filters

    assert of(put_analysed(tmp_path, run, name="none")) is None
    two = put_analysed(tmp_path, run, 0.5, 1.0, name="two")
    assert of(two) == {"gfsa": 0.75} and taylor_distance(two, run).subset == analysis().subset
    assert of(put_analysed(tmp_path, run, 0.5, None, name="inf")) is None
    old = put_analysed(tmp_path, run, 0.5, checkpoint="1" * 64, name="old")
    assert of(old) is None
    for text in ("{", "{}", "[]"):
        (old / "analysis.json").write_text(text)
        with pytest.raises(UsageError, match=r"analysis.json: "):
            of(old)


def test_of_several_filters_each_has_its_own_distance_and_of_one_name_the_last(tmp_path):
    near, far = Gap(3, "taylor", 1.5, 1.0), Gap(3, "taylor", 2.5, 1.0)

    def distances(spec, *gaps_by_layer):
        run = swept(spec, 0, 0.3)
        folder = put_analysed(tmp_path, run)
        layers = [
            layer(heads=[head(filters=[replace(state(), name=name, gap=gap) for name, gap in of])])
            for of in gaps_by_layer
        ]
        made = replace(analysis(layers=layers), checkpoint=run.training.checkpoint)
        write_analysis(folder, made)
        return (found := taylor_distance(folder, run)) and found.filters

    both = [("GraphFilter", near), ("PolynomialFilter", None)]
    assert FILTERS.get("poly").cls.__name__ == "PolynomialFilter"
    assert distances("linear+gfsa+poly", both) == {"gfsa": 1.5}
    assert distances("linear+gfsa:K=2+gfsa", [("GraphFilter", near), ("GraphFilter", None)]) is None
    layers = [("GraphFilter", near), ("GraphFilter", far)], [("GraphFilter", near)]
    assert distances("linear+gfsa:K=2,layers=1+gfsa", *layers) == {"gfsa": 2.5}
