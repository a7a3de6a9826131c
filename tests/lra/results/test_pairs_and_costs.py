"""Pairs of an attention with and without a filter, and what attentions cost."""

import dataclasses

import pytest

from lra.measure.timing import Timing
from lra.results.tables import render, tables_of

from ..test_results import failure, record
from .golden import FILTER, NOISE, OTHER, RECORDS, TURNS, costing, run


def pairs(records):
    return tables_of(records, ["pairs"])


def both(seeds, gain, **changes):
    for seed in seeds:
        yield run("listops", "linear", seed, 0.30 + seed / 1000, **costing(100.0), **changes)
        gained = 0.30 + seed / 1000 + gain(seed) / 100
        yield run("listops", "linear+gfsa", seed, gained, **costing(130.0, **FILTER), **changes)


def test_differences_are_over_equal_seeds():
    extra = run("listops", "linear+gfsa", 9, 0.9, **costing(130.0, **FILTER))
    (table,) = pairs([*both(range(3), lambda seed: (2, 3, 4)[seed]), extra])
    (row,) = table.rows
    assert [cell.text for cell in row] == [
        *("ListOps", "linear+gfsa", "+3.0", "+2.0 to +4.0", "3"),
        *("1.30", "1.00", "12", "0.006"),
    ]
    (numbers,) = table.numbers
    assert numbers["separable"] is True and numbers["base"] == "linear"
    assert (numbers["low"], numbers["high"]) == pytest.approx((2.0, 4.0))


def test_what_covers_zero_or_has_one_pair_is_not_separable():
    (table,) = pairs(both(range(3), lambda seed: seed - 1))
    assert table.rows[0][3].text == "−1.0 to +1.0, not separable"
    (table,) = pairs(both(range(1), lambda seed: 5))
    assert [cell.text for cell in table.rows[0][2:5]] == ["+5.0", "–, not separable", "1"]


def test_an_attention_without_its_base_is_no_pair():
    assert pairs([record("linear+gfsa"), record("sdpa")]) == []


def test_a_base_that_failed_leaves_the_pair_without_figures():
    (table,) = pairs([record("softmax+gfsa"), failure("softmax", identity="x")])
    texts = [cell.text for cell in table.rows[0][2:8]]
    assert texts == ["–", "–", "0 (softmax: 1 out of memory)", "–", "–", "–"]


def test_runs_that_a_difference_leaves_out_are_counted_beside_it():
    lost = [failure("linear+gfsa", seed, "not finite", identity=f"x{seed}") for seed in (2, 3)]
    lucky = [record("linear", 0, 0.1), record("linear", 1, 0.3)]
    filtered = [record("linear+gfsa", seed, 0.38) for seed in (0, 1)]
    (table,) = pairs([*lucky, *filtered, *lost])
    assert table.rows[0][4].text == "2 (linear: 1 of 2 learned; linear+gfsa: 2 not finite)"


def test_a_filter_on_a_filter_is_compared_with_what_it_stands_on():
    names = ("linear", "linear+a:k=1e+3", "linear+a:k=1e+3+b")
    runs = [record(name, accuracy=0.3) for name in names]
    (table,) = pairs(runs)
    assert [numbers["base"] for numbers in table.numbers] == ["linear", "linear+a:k=1e+3"]


def test_times_of_two_machines_are_never_mixed():
    (table,) = pairs(RECORDS)
    rows = [row for row in table.rows if row[0].text == "ListOps"]
    assert [row[5].text for row in rows] == ["1.40", "1.19"]  # 70/50 and 131/110
    assert rows[0][2:5] == rows[1][2:5] and rows[0][-1] != rows[1][-1]
    apart = [
        run("listops", "linear", 0, 0.3, **costing(100.0)),
        run("listops", "linear+gfsa", 0, 0.4, machine=OTHER, **costing(10.0)),
    ]
    (table,) = pairs(apart)
    assert [cell.text for cell in table.rows[0][2:7]] == [
        *("+10.0", "–, not separable", "1"),
        *("–", "–"),
    ]


def test_a_ratio_in_turns_is_told_from_one_of_measurements_apart():
    """The median of two commands' ratios, whatever was measured apart; with the noise beside it."""
    in_turns = [
        run("listops", "linear", 0, 0.3, **costing(100.0)),
        run("listops", "linear+gfsa", 0, 0.3, **costing(150.0, **TURNS)),
        run("listops", "linear+gfsa", 1, 0.3, **costing(150.0, **NOISE)),
    ]
    (table,) = pairs(in_turns)
    cell = table.rows[0][5]
    assert cell.text == "1.06 (1.03–1.10; A/A 0.98–1.02)" and not cell.notes
    assert table.numbers[0]["times"] == 1.06 and table.numbers[0]["times A/A p80"] == 1.02
    assert any("A/A" in line for line in table.caption) and not table.notes
    (table,) = pairs([in_turns[0], in_turns[2]])
    assert table.rows[0][5].text == "1.04 (1.01–1.07; A/A 0.98–1.02), within noise"
    (table,) = pairs(both(range(1), lambda seed: 5))
    assert (table.rows[0][5].text, table.rows[0][5].notes) == ("1.30", ("¶",))
    assert "not in turns" in table.notes["¶"] and not any("A/A" in c for c in table.caption)


def cost(records):
    return tables_of(records, ["cost"])


def named(table, attention):
    (row,) = [row for row in table.rows if row[0].text == attention]
    return dict(zip(table.columns, row, strict=True))


def test_costs_are_medians_over_runs():
    steps = [100.0, 120.0, 105.0]
    runs = [run("listops", "linear", i, 0.3, **costing(step)) for i, step in enumerate(steps)]
    (table,) = cost(runs)
    row = named(table, "linear")
    assert row["step ms"].text == "105 (104–106)" and row["step ms"].value == 105.0
    assert row["n"].value == 3 and row["GFLOP/step"].text == "10"
    assert row["allocator peak GB"].text == "0.5" and row["process RSS peak GB"].text == "0.9"
    assert row["parameters"].text == "209,802"


@pytest.mark.parametrize(
    ("steps", "spread", "flagged"),
    [((100.0,), 10.0, False), ((100.0,), 10.1, True), ((90.0, 111.0), 1.0, True)],
)
def test_a_spread_above_a_fifth_is_flagged(steps, spread, flagged):
    runs = [
        run("listops", "linear", i, 0.3, **costing(step, spread)) for i, step in enumerate(steps)
    ]
    (table,) = cost(runs)
    assert (named(table, "linear")["step ms"].notes == ("§",)) == flagged


def test_models_beyond_lras_rule_are_marked():
    runs = [
        run("listops", "linear", 0, 0.3, **costing(over_softmax=10.0)),
        run("listops", "sdpa", 0, 0.3, **costing(over_softmax=10.1)),
    ]
    (table,) = cost(runs)
    assert named(table, "linear")["over softmax %"].notes == ()
    assert named(table, "sdpa")["over softmax %"].notes == ("‡",)
    assert "10 % over the softmax model" in table.notes["‡"]


def test_the_cheapest_is_bold():
    fast = {"forward": Timing(9.0, 8.9, 9.1, 50), "examples_per_second": 900.0}
    runs = [
        run("listops", "linear", 0, 0.3, **costing(50.0, **fast)),
        run("listops", "sdpa", 0, 0.3, **costing(100.0)),
    ]
    (table,) = cost(runs)
    for column in ("step ms", "forward ms", "examples/s"):
        assert named(table, "linear")[column].best and not named(table, "sdpa")[column].best


def test_methods_of_memory_have_a_column_each():
    gpu = {"cuda_allocated_peak": 10**9, "cuda_reserved_peak": 2 * 10**9}
    on_gpu = run("listops", "linear", 0, 0.3, accelerator="cuda", **costing(memory=gpu))
    tables = cost([on_gpu, run("listops", "linear", 1, 0.3)])
    heads = {table.columns[6:8] for table in tables}
    assert heads == {
        ("allocator peak GB", "process RSS peak GB"),
        ("GPU peak GB", "GPU reserved GB"),
    }
    (first, second) = render(tables, "csv").splitlines()[1:]
    assert first.count(",") == second.count(",")


@pytest.mark.parametrize("change", ["device", "threads", "versions", "matmul"])
def test_each_machine_has_a_table_of_its_own(change):
    value = {"device": "x", "threads": 1, "versions": {"torch": "2.12"}, "matmul": "high"}[change]
    other = dataclasses.replace(OTHER, **{change: value})
    runs = [record(), record("sdpa", environment=OTHER), record("mean", environment=other)]
    assert len(cost(runs)) == 3


def test_what_failed_is_a_row_without_figures():
    (table,) = cost([record(), failure("softmax", identity="x")])
    row = named(table, "softmax")
    assert row["n"].text == "0 (1 out of memory)"
    assert {cell.text for cell in list(row.values())[2:]} == {"–"}
    assert cost([failure()]) == []
