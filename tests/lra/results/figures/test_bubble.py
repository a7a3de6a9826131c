import dataclasses
import math
import random

import pytest

from lra.results.figures.bubble import bubble_charts
from lra.results.figures.notes import levels_of
from lra.results.figures.palette import Looks
from lra.results.figures.paper import draw
from lra.results.record import Data
from tests.lra.test_results import ENVIRONMENT, RUNS, failure, record


def with_memory(run, size):
    memory = {"cpu_allocator_peak": size, "process_rss_peak": 7}
    return dataclasses.replace(run, measurement=dataclasses.replace(run.measurement, memory=memory))


def drawn(records):
    (chart,) = bubble_charts(records)
    return chart, draw(chart, Looks({record.attention for record in records}))


def test_a_bubble_is_the_mean_over_seeds_and_the_median_cost():
    (chart,) = bubble_charts(RUNS)
    (panel,) = chart.panels
    linear, gfsa = panel.series
    assert (linear.attention, linear.x, linear.y) == ("linear", [110.0], [pytest.approx(37.0)])
    assert linear.bars == ([pytest.approx(1.0)], [pytest.approx(1.0)])  # std over seeds
    assert linear.area == 500_000_000 and gfsa.attention == "linear+gfsa"
    assert panel.arrows == [("linear", "linear+gfsa")]
    assert chart.numbers[0]["seeds"] == 3 and chart.numbers[1]["arrow from"] == "linear"


def test_one_seed_has_a_binomial_bar():
    (chart,) = bubble_charts([record(accuracy=0.36)])
    assert chart.numbers[0]["±"] == pytest.approx(100 * math.sqrt(0.36 * 0.64 / 2000))


def test_what_is_not_comparable_has_a_figure_of_its_own():
    other = dataclasses.replace(ENVIRONMENT, device="Other CPU")
    charts = bubble_charts([*RUNS, record("performer", environment=other)])
    charts = sorted(charts, key=lambda chart: -len(chart.numbers))
    assert [len(chart.numbers) for chart in charts] == [2, 1]
    names = [chart.name for chart in charts]
    assert len(set(names)) == 2 and "some-cpu" in names[0] and "other-cpu" in names[1]
    (alone,) = bubble_charts(random.Random(0).sample(RUNS, len(RUNS)))
    assert alone.panels == charts[0].panels and alone.name == names[0]


def test_what_titles_do_not_say_is_in_the_details():
    other = dataclasses.replace(ENVIRONMENT, device="Other CPU")
    tf32 = dataclasses.replace(ENVIRONMENT, matmul="high")
    data = Data("generated", "e" * 16, {})
    more = [record("relu", environment=other), record("relu", identity="tf32", environment=tf32)]
    charts = bubble_charts([*RUNS, *more, record("relu", identity="data", data=data)])
    assert len({chart.details for chart in charts}) == len(charts) == 4
    assert len({chart.title for chart in charts}) == 1


def test_failures_and_runs_without_a_measurement_are_named_and_not_drawn():
    unmeasured = record("relu", measurement=None)
    (chart,) = bubble_charts([*RUNS, failure("softmax", 0), failure("softmax", 1), unmeasured])
    assert [row["attention"] for row in chart.numbers] == ["linear", "linear+gfsa"]
    assert "Without a result: softmax (2 out of memory)." in chart.notes
    assert "Not measured: relu." in chart.notes
    assert bubble_charts([failure(), unmeasured]) == []


def test_areas_positions_bars_and_arrows_are_drawn_as_the_data_say():
    runs = [with_memory(run, 10**8 * (1 + 2 * ("+" in run.attention))) for run in RUNS]
    chart, figure = drawn(runs)
    (axes,) = figure.axes
    linear, gfsa = chart.panels[0].series
    circles = {c.get_gid(): c for c in axes.collections if c.get_gid()}
    for one in (linear, gfsa):
        assert circles[one.attention].get_offsets().tolist() == [
            pytest.approx([one.x[0], one.y[0]])
        ]
    area = {name: circle.get_sizes()[0] for name, circle in circles.items()}
    assert area["linear+gfsa"] / area["linear"] == pytest.approx(3)
    assert "from 100 to 300 MB" in chart.notes[1]
    bars = {c.get_label(): c for c in axes.containers}
    low, high = bars["linear"].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((36.0, 38.0))
    arrow = next(a for a in axes.texts if getattr(a, "arrow_patch", None) and not a.get_text())
    assert arrow.xyann == (linear.x[0], linear.y[0]) and arrow.xy == (gfsa.x[0], gfsa.y[0])
    assert circles["linear"].get_facecolor()[0][3] > 0
    assert not len(circles["linear+gfsa"].get_facecolor())
    left, right = axes.get_xlim()
    assert axes.get_xscale() == "log" and left < linear.x[0] < gfsa.x[0] < right


def test_rules_are_lines_where_they_fall_into_view_and_words_where_not():
    chart, figure = drawn([record(seed=s, accuracy=a) for s, a in ((0, 0.355), (1, 0.365))])
    assert next(iter(levels_of(RUNS[0]).items())) == ("chance", 10.0)
    assert list(chart.panels[0].levels) == ["root operator"]
    assert "root operator 36.2" in [text.get_text() for text in figure.axes[0].texts]
    assert "Outside the view: chance 10.0 %, majority class 17.0 %." in chart.notes


def test_labels_name_the_base_and_the_caption_the_filter():
    chart, figure = drawn(RUNS)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "linear" in texts and "linear+gfsa" not in texts
    assert "Hollow: +gfsa." in chart.notes
    _, several = drawn([*RUNS, record("linear+gfsa:K=4", 0, 0.35), record("relu+gfsa", 0, 0.3)])
    texts = [text.get_text() for text in several.axes[0].texts]
    assert {"linear", "+gfsa", "+gfsa:K=4", "relu+gfsa"} <= set(texts)
