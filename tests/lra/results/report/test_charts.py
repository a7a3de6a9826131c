import itertools
import math

import pytest

from lra.results.figures.bubble import bubble_charts
from lra.results.figures.curves import curve_charts
from lra.results.figures.growth import growth_charts
from lra.results.figures.tasks import task_charts
from lra.results.report.charts.bubble import bubble_figure
from lra.results.report.charts.chart import number, plain
from lra.results.report.charts.lines import curve_figures, growth_figures
from lra.results.report.charts.tasks import task_figure

from .made_up import run, runs, sheet

TWO = runs(("softmax", "linear"), ("listops", "text"))


def bubbles():
    (chart,) = bubble_charts(one.record for one in TWO if one.record.task == "listops")
    return chart, bubble_figure(chart)


def test_circles_stand_where_the_printed_figure_has_them_with_area_for_memory():
    chart, figure = bubbles()
    circles = {trace["name"]: trace for trace in figure.traces if "name" in trace}
    for bubble in chart.bubbles:
        drawn = circles[bubble.attention]
        assert (drawn["x"], drawn["y"]) == ([bubble.step_ms], [bubble.accuracy])
        assert drawn["error_y"]["array"] == [bubble.error]
    areas = [circles[b.attention]["marker"]["size"] ** 2 / b.memory for b in chart.bubbles]
    assert areas == pytest.approx([areas[0]] * len(areas))


def test_arrows_lead_from_each_attention_to_itself_with_a_filter():
    chart, figure = bubbles()
    at = {bubble.attention: (bubble.step_ms, bubble.accuracy) for bubble in chart.bubbles}
    arrows = [trace for trace in figure.traces if "line" in trace]
    ends = [list(zip(trace["x"], trace["y"], strict=True)) for trace in arrows]
    assert sorted(ends) == sorted([at[name], at[f"{name}+gfsa"]] for name in ("softmax", "linear"))


def test_rules_out_of_view_are_said():
    _, figure = bubbles()
    assert "Outside of the view: chance 10.0 %, majority class 17.0 %." in figure.notes


def test_the_sentence_names_the_best_and_the_fastest():
    chart, figure = bubbles()
    best = max(chart.bubbles, key=lambda bubble: bubble.accuracy)
    assert f"Most accurate: {best.attention}, {best.accuracy:.1f} %" in figure.summary
    assert "2 arrows" in figure.summary and "× 1.40 the time" in figure.summary


def test_the_same_numbers_stand_in_a_table():
    chart, figure = bubbles()
    values = [(row[0].value, row[1].value, row[4].value) for row in figure.table.rows]
    assert values == [(b.attention, b.accuracy, b.step_ms) for b in chart.bubbles]


def test_growth_has_a_line_an_attention_and_names_what_ended():
    time, memory = growth_figures(*growth_charts([sheet()]))
    linear, softmax = time.traces
    assert linear["x"] == (512, 1024, 2048, 4096) and linear["y"] == [5, 10, 20, 40]
    assert softmax["y"] == [5, 20, 80] and "N^2.00" in softmax["name"]
    assert linear["error_y"]["array"] == [1, 2, 4, 8]
    assert "softmax: out of memory at N = 4,096." in time.summary
    assert memory.traces[0]["y"] == [10, 20, 40, 80]


def test_learning_curves_are_means_over_seeds_with_their_ends():
    chart = curve_charts([(one.record, one.curve) for one in TWO])[0]
    accuracy, loss = curve_figures(chart)
    assert [trace["name"] for trace in accuracy.traces] == [
        *("linear", "linear+gfsa", "softmax", "softmax+gfsa")
    ]
    mean = next(t for t in chart.accuracy if t.attention == "linear" and t.seed is None)
    drawn = accuracy.traces[0]
    assert len(drawn["x"]) == 50 and (drawn["x"][0], drawn["x"][-1]) == (50, 5000)
    assert drawn["y"][-1] == pytest.approx(mean.values[-1], rel=1e-3)
    assert loss.label.startswith("Training loss: ")


def test_tasks_have_a_column_each_in_which_attentions_do_not_cover_each_other():
    (chart,) = task_charts(one.record for one in TWO)
    figure = task_figure(chart)
    x = sorted(value for trace in figure.traces for value in trace["x"])
    assert len(x) == 8 and min(b - a for a, b in itertools.pairwise(x)) > 0.19
    assert [round(value) for value in x] == [0] * 4 + [1] * 4


def test_names_are_text_to_plotly_too():
    name = "<b>linear</b>&<br>"
    (chart,) = bubble_charts([run(name, "listops").record])
    figure = bubble_figure(chart)
    (circle,) = figure.traces
    assert (
        circle["name"]
        == circle["text"][0]
        == plain(name)
        == ("&lt;b&gt;linear&lt;/b&gt;&amp;&lt;br&gt;")
    )
    assert circle["hovertext"].startswith(plain(name) + "<br>accuracy")
    assert name in figure.summary  # which becomes a text node


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (5.0, "5"), (123.45, "123.5"), (12345.6, "12,346"), (99.96, "100")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text
    assert math.isclose(float(text.replace(",", "")), value, rel_tol=1e-2)
