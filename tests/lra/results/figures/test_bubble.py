import dataclasses
import math
import random

import pytest

from lra.results.figures.bubble import Level, bubble_charts, filters_of, round_sizes
from lra.results.figures.draw_bubble import draw_bubbles
from lra.results.figures.palette import Looks
from lra.results.record import Data
from tests.lra.test_results import ENVIRONMENT, RUNS, failure, record


def with_memory(run, size):
    memory = {"cpu_allocator_peak": size, "process_rss_peak": 7}
    return dataclasses.replace(run, measurement=dataclasses.replace(run.measurement, memory=memory))


def scattered(figure):
    """Each bubble's drawn circle, by its attention."""
    return {c.get_gid(): c for axes in figure.axes for c in axes.collections if c.get_gid()}


def drawn(records):
    (chart,) = bubble_charts(records)
    return chart, draw_bubbles(chart, Looks({record.attention for record in records}))


def test_a_bubble_is_the_mean_over_seeds_and_the_median_cost():
    (chart,) = bubble_charts(RUNS)
    linear, gfsa = chart.bubbles
    assert (linear.attention, linear.base, linear.n) == ("linear", None, 3)
    assert (linear.accuracy, linear.error) == pytest.approx((37.0, 1.0))  # std over seeds
    assert (linear.step_ms, linear.memory) == (110.0, 500_000_000)
    assert (gfsa.attention, gfsa.base) == ("linear+gfsa", "linear")
    assert chart.arrows == [(linear, gfsa)]
    assert "standard deviation over seeds" in " ".join(chart.caption.notes)


def test_one_seed_has_a_binomial_bar_and_the_caption_says_so():
    (chart,) = bubble_charts([record(accuracy=0.36)])
    assert chart.bubbles[0].error == pytest.approx(100 * math.sqrt(0.36 * 0.64 / 2000))
    assert "Bars: binomial standard error of the one run." in chart.caption.notes
    (mixed,) = bubble_charts([*RUNS, record("performer")])
    assert "of one: binomial" in " ".join(mixed.caption.notes)


def test_what_is_not_comparable_has_a_figure_of_its_own():
    other = dataclasses.replace(ENVIRONMENT, device="Other CPU")
    charts = bubble_charts([*RUNS, record("performer", environment=other)])
    charts = sorted(charts, key=lambda chart: -len(chart.bubbles))
    assert [len(chart.bubbles) for chart in charts] == [2, 1]
    names = [chart.caption.name for chart in charts]
    assert len(set(names)) == 2 and "some-cpu" in names[0] and "other-cpu" in names[1]
    (alone,) = bubble_charts(random.Random(0).sample(RUNS, len(RUNS)))
    assert alone.bubbles == charts[0].bubbles and alone.caption.name == names[0]


def test_labels_of_siblings_say_what_their_titles_do_not():
    other = dataclasses.replace(ENVIRONMENT, device="Other CPU")
    tf32 = dataclasses.replace(ENVIRONMENT, matmul="high")
    data = Data("generated", "e" * 16, {})
    (alone,) = bubble_charts(RUNS)
    assert alone.caption.label == alone.caption.title
    more = [record("relu", environment=other), record("relu", identity="tf32", environment=tf32)]
    charts = bubble_charts([*RUNS, *more, record("relu", identity="data", data=data)])
    labels = [chart.caption.label for chart in charts]
    assert len(set(labels)) == len(charts) == 4
    assert len({chart.caption.title for chart in charts}) == 1
    assert any("float32 products high;" in label and "ffffffff" in label for label in labels)


def test_failures_are_named_and_not_drawn():
    (chart,) = bubble_charts([*RUNS, failure("softmax", 0), failure("softmax", 1)])
    assert [bubble.attention for bubble in chart.bubbles] == ["linear", "linear+gfsa"]
    assert chart.failures == ("softmax (out of memory, seeds 0, 1)",)
    assert "Without a result: softmax (out of memory, seeds 0, 1)." in chart.caption.notes
    assert bubble_charts([failure()]) == []


def test_title_and_footer_say_what_and_where():
    (chart,) = bubble_charts(RUNS)
    title = "listops, generated data, protocol nystromformer, 32-true on cpu"
    assert chart.caption.title == title
    assert chart.caption.footer == (
        "Data: listops, generated data ffffffffffffffff. Machine: Some CPU, 2 threads, torch "
        "2.13.0, float32 products highest. Python 3.11.7; commit aaaaaaaaaaaa; seeds 0, 1, 2, 7. "
        "LRA under the small protocol of Nyströmformer, but for the deviations."
    )
    assert "Area: allocator peak of a training step." in chart.caption.notes
    assert [level.rule for level in chart.levels] == ["chance", "majority class", "root operator"]
    assert chart.levels[0] == Level("chance", 10.0)


def test_areas_positions_bars_and_arrows_are_drawn_as_the_data_say():
    runs = [with_memory(run, 10**8 * (1 + 2 * ("+" in run.attention))) for run in RUNS]
    chart, figure = drawn(runs)
    axes = figure.axes[0]
    circles = scattered(figure)
    linear, gfsa = chart.bubbles
    for bubble in chart.bubbles:
        assert circles[bubble.attention].get_offsets().tolist() == [
            pytest.approx([bubble.step_ms, bubble.accuracy])
        ]
    area = {name: circle.get_sizes()[0] for name, circle in circles.items()}
    assert area["linear+gfsa"] / area["linear"] == pytest.approx(gfsa.memory / linear.memory)
    # The legend's circles have the same scale.
    assert area["100 MB"] == pytest.approx(area["linear"])
    bars = {c.get_label(): c for c in axes.containers}
    low, high = bars["linear"].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((36.0, 38.0))
    (arrow,) = [a for a in axes.texts if a.arrow_patch is not None and not a.get_text()]
    assert arrow.xyann == (linear.step_ms, linear.accuracy)
    assert arrow.xy == (gfsa.step_ms, gfsa.accuracy)
    assert circles["linear"].get_facecolor()[0][3] > 0 and not len(
        circles["linear+gfsa"].get_facecolor()
    )
    left, right = axes.get_xlim()
    assert axes.get_xscale() == "log" and left < linear.step_ms < gfsa.step_ms < right


def test_rules_are_lines_where_they_fall_into_view_and_words_where_not():
    _, figure = drawn([record(seed=s, accuracy=a) for s, a in ((0, 0.355), (1, 0.365))])
    axes = figure.axes[0]
    heights = [line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert 36.2 in [pytest.approx(h) for h in heights]
    assert "root operator 36.2" in [text.get_text() for text in axes.texts]
    words = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "Outside the view: chance: 10.0 %, majority class: 17.0 %." in words


def test_labels_name_the_base_and_the_legend_the_filter():
    _, figure = drawn(RUNS)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "linear" in texts and "linear+gfsa" not in texts and "+gfsa" in texts
    _, several = drawn([*RUNS, record("linear+gfsa:K=4", 0, 0.35), record("relu+gfsa", 0, 0.3)])
    texts = [text.get_text() for axes in several.axes for text in axes.texts]
    assert {"linear", "+gfsa", "+gfsa:K=4", "relu+gfsa", "with a filter"} <= set(texts)


@pytest.mark.parametrize(
    ("sizes", "legend"),
    [
        ([42e6, 44e6], [20e6, 50e6]),
        ([60e6, 480e6], [100e6, 200e6]),
        ([10e6, 8e9], [10e6, 200e6, 5e9]),
        ([50e6], [50e6]),
    ],
)
def test_sizes_of_the_legend_are_round(sizes, legend):
    assert round_sizes(sizes) == pytest.approx(legend)


def test_a_filter_counts_where_its_attention_has_no_bubble():
    (chart,) = bubble_charts([*RUNS, record("relu+gfsa:K=4")])
    assert filters_of(chart) == {"gfsa", "gfsa:K=4"}
