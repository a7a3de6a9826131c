import itertools
from dataclasses import replace

import pytest

from lra.results.figures import screen
from lra.results.figures.by import by_charts
from lra.results.figures.chart import Axis, Chart, Panel
from lra.results.figures.palette import Looks
from lra.results.figures.paper import draw
from tests.lra.results.swept import ALL, FEATURES, ORDERS, apart, swept
from tests.lra.test_results import failure

DISTANCES = {id(one): apart(0.5) for one in ORDERS if "K=5" in one.attention}


def named(panel):
    return {one.name: one for one in panel.series if one.attention}


def test_accuracy_time_and_distance_each_have_a_panel():
    (chart,) = by_charts("K", ALL, DISTANCES)
    accuracy, time, distances = chart.panels
    assert [panel.y.title for panel in chart.panels] == [
        *("test accuracy, %", "training step, ms", "‖Taylor − power‖₂"),
    ]
    taylor, power = named(accuracy).values()
    assert (taylor.name, power.name) == ("linear+gfsa, taylor", "linear+gfsa, power")
    assert taylor.y == pytest.approx([36, 36, 33]) and power.y == pytest.approx([35.1, 38])
    assert taylor.bars[0][0] == pytest.approx(2**0.5) and power.joined
    assert named(time)["linear+gfsa, taylor"].y == [111.0, 110.0, 110.0]
    assert named(time)["linear+gfsa, power"].bars == ([1.0, 1.0], [1.0, 1.0])
    assert [one.y for one in distances.series] == [[0.5]] * 2 and distances.series[0].x == [5.0]
    assert (
        "‖Taylor − power‖₂: for the Ā that each run learned, on 16 examples of the validation "
        "split (seed 0), 160 tokens."
    ) in chart.notes
    (chart,) = by_charts("K", ALL)
    assert len(chart.panels) == 2
    other = {id(ORDERS[2]): apart(9.0, length=4)}
    (chart,) = by_charts("K", ALL, DISTANCES | other)
    assert [one.y for one in chart.panels[2].series] == [[0.5], [0.5]]
    said = "Left out, as analysed on other examples or tokens: linear+gfsa:K=2."
    assert said in chart.notes


def test_the_base_is_a_line_across_and_the_spread_of_its_seeds_dots():
    (chart,) = by_charts("K", ALL)
    accuracy, time = chart.panels
    assert accuracy.levels["linear"] == pytest.approx(35.0) and time.levels == {"linear": 102.0}
    guides = [one.y[0] for one in accuracy.series if one.attention is None]
    assert guides == [pytest.approx(35.0 - 2**0.5), pytest.approx(35.0 + 2**0.5)]
    assert "Grey dashes: linear, 35.0 ± 1.4 % (dots), 102 ms a step." in chart.notes
    (chart,) = by_charts("K", [one for one in ALL if one.attention != "linear"])
    assert all("linear" not in panel.levels for panel in chart.panels)
    assert not any(note.startswith("Grey") for note in chart.notes)


def test_what_the_filter_stands_on_is_a_curve_where_it_has_the_option():
    _, filtered = by_charts("features", FEATURES)
    lines = named(filtered.panels[0])
    assert [*lines] == ["performer+gfsa", "performer"]
    assert lines["performer"].y == [30.0, 32.0] and "performer" not in filtered.panels[0].levels


def test_points_are_beside_their_values_so_that_bars_are_seen_and_numbers_say_which():
    (chart,) = by_charts("K", ALL)
    taylor, power = named(chart.panels[0]).values()
    assert taylor.x == pytest.approx([2, 3, 5], abs=0.05) and power.x[0] > taylor.x[0]
    rows = {row["attention"]: row for row in chart.numbers}
    row = rows["linear+gfsa:K=5,mode=power"]
    assert (row["K"], row["test accuracy, %"], row["training step, ms"]) == ("5", 38.0, 120.0)
    assert len(rows) == 5 and rows["linear+gfsa:K=2"]["seeds"] == 2


def test_words_are_places_on_the_axis_and_wide_ranges_are_logarithmic():
    (chart,) = by_charts("layers", ALL)
    axis = chart.panels[0].x
    assert axis.ticks == [(0.0, "1/2"), (1.0, "all"), (2.0, "even")] and not axis.log
    assert not any(one.joined for one in chart.panels[0].series if one.attention)
    runs = [swept(f"performer:features={2**i}", 0, 0.3, step=50.0 * i) for i in range(1, 12)]
    (chart,) = by_charts("features", runs)
    axis, y = chart.panels[1].x, chart.panels[1].y
    assert axis.log and [text for _, text in axis.ticks][-2:] == ["512", "2,048"]
    assert len(axis.ticks) == 6 and y.log
    near = [swept(f"linear+gfsa:w0={w0}", 0, 0.3) for w0 in (-0.1, 0.0, 0.1)]
    (chart,) = by_charts("w0", near)
    assert not chart.panels[0].x.log and chart.panels[0].series[0].x == pytest.approx(
        [-0.1, 0, 0.1]
    )


def test_what_has_no_result_is_named():
    (chart,) = by_charts("K", [*ALL, failure("linear+gfsa:K=9")])
    assert "Without a result: linear+gfsa:K=9 (1 out of memory)." in chart.notes
    assert by_charts("K", [failure(f"linear+gfsa:K={K}") for K in (2, 9)]) == []


def test_values_bars_and_the_base_are_drawn_as_the_data_say():
    (chart,) = by_charts("K", ALL, DISTANCES)
    looks = Looks(one.attention for one in chart.panels[0].series if one.attention)
    figure = draw(chart, looks)
    accuracy, time, _ = figure.axes
    bars = {container.get_label(): container for container in accuracy.containers}
    assert list(bars["linear+gfsa, power"].lines[0].get_ydata()) == pytest.approx([35.1, 38])
    low, high = bars["linear+gfsa, taylor"].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((36 - 2**0.5, 36 + 2**0.5))
    assert [label.get_text() for label in accuracy.get_xticklabels()] == ["2", "3", "5"]
    assert "linear 102.0" in [text.get_text() for text in time.texts]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*bars]
    first, second = (bars[name].lines[0] for name in bars)
    assert first.get_fillstyle() != second.get_fillstyle()


def test_labels_of_levels_that_lie_near_each_other_are_one():
    levels = {"linear": 16.2, "majority class": 16.2, "chance": 10.0, "other": 17.0}
    panel = Panel(Axis("K", range=(2, 5)), Axis("%", range=(5, 30)), [], levels)
    assert panel.labels == [["chance"], ["linear", "majority class", "other"]]
    apart = Axis("ms", log=True, range=(1, 100)), {"a": 2.0, "b": 2.4, "c": 4.0}
    assert Panel(panel.x, apart[0], [], apart[1]).labels == [["a", "b"], ["c"]]
    equal = Panel(panel.x, Axis("%"), [], {"a": 2.0, "b": 2.0, "c": 2.1})
    assert equal.labels == [["a", "b"], ["c"]]
    figure = draw(Chart("name", "title", [], [panel], [], ""), Looks([]))
    texts = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert texts == {"chance 10.0": 10.0, "linear, majority class 16.2, other 17.0": 17.0}
    shapes = screen.draw([panel], Looks([]))["layout"]["shapes"]
    shown = {shape["label"]["text"]: shape["y0"] for shape in shapes if shape["label"]["text"]}
    assert shown == {"chance": 10.0, "linear, majority class, other": 17.0} and len(shapes) == 4


def test_the_labels_of_a_base_near_the_majority_do_not_cover_each_other():
    runs = [swept(f"linear+gfsa:K={K}", 0, 0.17) for K in (2, 5)]
    data = replace(runs[0].data, baselines={"majority class": 0.1622})
    runs = [replace(one, data=data) for one in [*runs, swept("linear", 0, 0.1621)]]
    (chart,) = by_charts("K", runs)
    looks = Looks(one.attention for one in chart.panels[0].series if one.attention)
    figure = draw(chart, looks)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    pairs = itertools.combinations(boxes, 2)
    assert "linear, majority class 16.2" in [text.get_text() for text in figure.axes[0].texts]
    assert not any(first.overlaps(second) for first, second in pairs)
