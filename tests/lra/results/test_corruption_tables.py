"""Tables of runs under corruptions: what stands beside each other, and what is said of the rest."""

import dataclasses
import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from lra.corruptions import SEVERITIES
from lra.results.figures.robustness import corruption_charts
from lra.results.robustness import rectangle
from lra.results.tables import tables_of
from lra.results.tables.corruptions import corruption_table
from tests.lra.test_corruptions import ALL, RUN, RUNS, evaluated, found_of
from tests.lra.test_results import ENVIRONMENT


def test_the_table_of_a_run():
    which = [(name, severity) for name in ("fog", "contrast") for severity in (1, 5)]
    values = dict(zip(which, (0.5, 0.3, 0.4, 0.1), strict=True))
    found = evaluated(accuracy=lambda *one: values.get(one, 0.0))
    table = corruption_table(RUN, found, which)
    assert table.columns == ("corruption", "1", "5", "mean")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["fog", "50.0", "30.0", "40.0"],
        ["contrast", "40.0", "10.0", "25.0"],
        ["mean", "45.0", "20.0", "32.5"],
    ]
    assert table.title.endswith("linear+gfsa seed 0: protocol nystromformer")
    part = dataclasses.replace(RUN, data=dataclasses.replace(RUN.data, train_fraction=0.1))
    assert "trained on 10 % of" in corruption_table(part, found, which).title
    assert table.caption[0].startswith("Without corruption: 30.0 of 2,000 examples")
    assert any("imagecorruptions-imaug 1.1.5" in line for line in table.footer)


def test_the_table_of_runs_has_each_filter_beside_its_base():
    (table,) = tables_of(RUNS, ["corruptions"], None, found_of(RUNS))
    assert table.columns == ("attention", "clean", "1", "2", "3", "4", "5", "mean", "Δ mean")
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    names = list(rows)
    assert names.index("linear+gfsa") == names.index("linear") + 1 == names.index("linear+mean") - 1
    assert rows["linear"][:2] == ["40.0 ± 0.0", "39.0 ± 1.4"]
    assert rows["linear"][5:] == ["31.0 ± 1.4", "35.0 ± 1.4", "–"]
    assert rows["linear+gfsa"][-2:] == ["37.0 ± 1.4", "+2.0"] and rows["softmax"][-1] == "–"
    assert any("Means of n = 2 runs of different seeds unless noted; ±" in x for x in table.caption)
    (single,) = tables_of(RUNS[:1], ["corruptions"], None, found_of(RUNS))
    assert any("Single runs unless noted. " in line for line in single.caption)
    assert {row["severity 3"] for row in table.numbers if row["attention"] == "linear"} == {35.0}


def cut(*which, name="linear", seed=0, **more):
    """The only run of this attention and seed, of which this is on record."""
    (run,) = (one for one in RUNS if (one.attention, one.seed) == (name, seed))
    return found_of([run], which=which, **more)


def tabled(*found):
    return tables_of(RUNS, ["corruptions"], None, {k: v for one in found for k, v in one.items()})


@given(st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(SEVERITIES))))
def test_the_most_that_all_severities_have(which):
    best = rectangle(which)
    names, severities = {name for name, _ in best}, {severity for _, severity in best}
    assert sorted(itertools.product(names, severities)) == sorted(best) and which >= {*best}
    most = 0
    for chosen in itertools.product([False, True], repeat=3):
        kept = [name for name, is_in in zip("abc", chosen, strict=True) if is_in]
        shared = [s for s in SEVERITIES if all((name, s) in which for name in kept)]
        most = max(most, len(kept) * len(shared))
    assert len(best) == most


def test_results_on_record_are_tabled_or_said_to_be_left_out():
    (table,) = tabled(cut(("contrast", 1), ("brightness", 3)))
    assert table.columns[1:4] == ("clean", "1", "mean")
    command = "`python run_lra.py evaluate RUN --corruption all` for linear seed 0."
    (line,) = (line for line in table.caption if line.startswith("Left out"))
    assert ": brightness (3). To fill the gaps: " in line and line.endswith(command)

    both = [(name, severity) for name in ("shot_noise", "fog") for severity in (1, 5)]
    (table,) = tabled(cut(*both, ("fog", 3)))
    assert table.columns[1:5] == ("clean", "1", "5", "mean")
    assert "over 2 corruptions: fog, shot_noise." in " ".join(table.caption)
    (table,) = tabled(cut(*both))
    assert not any("Left out" in line or "Not here" in line for line in table.caption)


def test_runs_stand_beside_each_other_with_what_all_have():
    some = [("fog", 1), ("fog", 3), ("fog", 5), ("shot_noise", 1), ("shot_noise", 5)]
    found = cut(*some), cut(*ALL, name="linear+gfsa"), cut(("fog", 3), name="linear+mean")
    (table,) = tabled(*found)
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert table.columns == ("attention", "clean", "3", "mean", "Δ mean")
    assert rows == {
        "linear": ["40.0", "34.0", "34.0", "–"],
        "linear+gfsa": ["42.0", "36.0", "36.0", "+2.0"],
        "linear+mean": ["38.0", "32.0", "32.0", "−2.0"],
    }
    (line,) = (line for line in table.caption if line.startswith("Left out"))
    assert ": brightness, contrast, " in line and "(1, 2, 3, 4, 5); fog (1, 2, 4, 5). " in line
    assert line.endswith("for linear seed 0, linear+mean seed 0.")
    (chart,) = corruption_charts(RUNS, {k: v for one in found for k, v in one.items()})
    assert line in chart.notes


def test_runs_with_nothing_in_common_are_apart_and_say_so():
    tables = tabled(cut(("fog", 1)), cut(("fog", 2), name="softmax"), cut(("fog", 1), seed=1))
    assert [table.rows[0][0].text for table in tables] == ["linear", "softmax"]
    said = [line for table in tables for line in table.caption if line.startswith("Not here")]
    assert [line.rpartition(": ")[2] for line in said] == [
        "softmax seed 0.",
        "linear seed 0, linear seed 1.",
    ]


def test_csv_says_of_each_row_what_its_means_are_over_and_where_they_were_computed():
    other = {"name": "softmax", "version": "1.1.6", "accelerator": "cuda"}
    tables = tabled(cut(("fog", 1), ("contrast", 1)), cut(("fog", 1), **other))
    rows = {row["attention"]: row for table in tables for row in table.numbers}
    key = ("corruptions", "corruption_versions")
    assert [rows["linear"][one] for one in key] == [
        "contrast;fog",
        "imagecorruptions-imaug 1.1.5",
    ]
    assert [rows["softmax"][one] for one in key] == ["fog", "imagecorruptions-imaug 1.1.6"]
    assert rows["softmax"]["evaluated_on"] == f"{ENVIRONMENT.machine} (cuda)"


def test_where_runs_were_evaluated_is_in_the_footer_and_a_difference_said():
    gpu = {"environment": dataclasses.replace(ENVIRONMENT, device="Some GPU")}
    (table,) = tabled(cut(("fog", 1)), cut(("fog", 1), name="softmax", accelerator="cuda", **gpu))
    machines = [line for line in table.footer if line.startswith("Evaluated on")]
    assert machines == [
        "Evaluated on: Some CPU, 2 threads, torch 2.13.0 (cpu).",
        "Evaluated on: Some GPU, 2 threads, torch 2.13.0 (cuda).",
    ]
    assert any(line.startswith("Evaluated on cpu and cuda: ") for line in table.caption)
    (table,) = tabled(cut(("fog", 1)))
    assert not any("Evaluated on" in line for line in table.caption)


def test_no_order_of_records_changes_a_table():
    found = found_of(RUNS[:4]) | found_of(RUNS[4:6], which=[("fog", 2)])
    found |= found_of(RUNS[6:8], which=[("fog", 1), ("contrast", 2)])
    for seed in range(3):
        shuffled = random.Random(seed).sample(RUNS, len(RUNS))
        assert tables_of(shuffled, ["corruptions"], None, found) == tabled(found)


def test_other_versions_are_apart():
    other = found_of(RUNS[:2]) | found_of(RUNS[4:6], version="1.1.6")
    assert len(tables_of(RUNS, ["corruptions"], None, other)) == 2
    assert tables_of(RUNS, ["corruptions"]) == []
