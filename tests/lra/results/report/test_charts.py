import dataclasses
import itertools

import pytest

from lra.results.curves import Curve, Point
from lra.results.figures.bubble import bubble_charts
from lra.results.figures.curves import curve_charts
from lra.results.figures.growth import growth_charts
from lra.results.figures.palette import Looks
from lra.results.figures.tasks import task_charts
from lra.results.report.charts.bubble import bubble_figure
from lra.results.report.charts.chart import plain
from lra.results.report.charts.lines import curve_figures, growth_figures
from lra.results.report.charts.tasks import task_figure
from lra.results.report.page import figures
from lra.results.summary import cost_groups
from lra.training.evaluation import Evaluation

from .made_up import failed, run, runs, sheet

TWO = runs(("softmax", "linear"), ("listops", "text"))


LOOKS = Looks(one.record.attention for one in TWO)


def bubbles(runs=TWO, looks=LOOKS):
    records = [one.record for one in runs if one.record.task == "listops"]
    (chart,), (group,) = bubble_charts(records), cost_groups(records)
    return chart, bubble_figure(chart, group, looks)


def circles(figure):
    return {trace["name"]: trace for trace in figure.traces if "hovertext" in trace}


def test_circles_stand_where_the_printed_figure_has_them_with_area_for_memory():
    chart, figure = bubbles()
    found = circles(figure)
    for bubble in chart.bubbles:
        drawn = found[bubble.attention]
        assert (drawn["x"], drawn["y"]) == ([bubble.step_ms], [bubble.accuracy])
        assert drawn["error_y"]["array"] == [bubble.error]
    areas = [found[b.attention]["marker"]["size"] ** 2 / b.memory for b in chart.bubbles]
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
    assert f"Highest mean: {best.attention}, {best.accuracy:.1f} %" in figure.summary
    assert "2 arrows" in figure.summary and "× 1.40 the time" in figure.summary


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ((0.05, 0.05, 0.051), "1 up, 0 down, 0 not told apart from 0"),
        ((-0.05, -0.05, -0.051), "0 up, 1 down, 0 not told apart from 0"),
        ((0.05, -0.03, 0.01), "0 up, 0 down, 1 not told apart from 0"),
        ((0.05,), "0 up, 0 down, 1 not told apart from 0"),
    ],
)
def test_a_rise_is_counted_where_seeds_tell_it_from_chance(changes, said):
    found = [
        run(name, seed=seed, test=Evaluation(1.9, 0.4 + change * ("+" in name), 2000))
        for name in ("linear", "linear+gfsa")
        for seed, change in enumerate(changes)
    ]
    _, figure = bubbles(found)
    assert f"1 arrow from an attention to itself with a filter: {said}; ×" in figure.summary


def test_costs_are_never_powers_of_ten():
    measured = run("linear").record.measurement
    slow = dataclasses.replace(
        measured,
        training_step=dataclasses.replace(measured.training_step, median_ms=2380.0),
        memory={"cpu_allocator_peak": 400_000},
    )
    _, figure = bubbles([run("linear", measurement=slow)])
    (circle,) = circles(figure).values()
    assert "2,380 ms" in figure.summary and "2,380 ms" in circle["hovertext"]
    assert "memory 0.4 MB" in circle["hovertext"]


def test_each_of_several_filters_has_its_name_and_mark():
    names = ("linear", "linear+gfsa", "linear+gfsa:K=4")
    looks = Looks(names)
    _, figure = bubbles([run(name) for name in names], looks)
    found = circles(figure)
    assert [found[name]["text"] for name in names] == [["linear"], ["+gfsa"], ["+gfsa:K=4"]]
    marks = [
        trace["marker"]["symbol"] for trace in figure.traces if trace.get("hoverinfo") == "skip"
    ]
    assert len({str(mark) for mark in marks if isinstance(mark, str)}) == 3
    records = [run(name).record for name in names]
    (tasks,) = (task_figure(chart, looks) for chart in task_charts(records))
    assert len({trace["marker"]["symbol"] for trace in tasks.traces}) == 3
    said = "Filled mark: no filter. Hollow: +gfsa. Hollow with a dot: +gfsa:K=4."
    assert said in figure.notes and said in tasks.notes


def test_an_attention_looks_the_same_in_all_figures_of_a_page():
    strangers = ("theirs:a=1", "theirs:a=2", "linear+mine", "linear+gfsa")
    found = [run(name, "text") for name in strangers] + [run(strangers[1]), run("linear+gfsa")]
    seen = {}
    for chart in figures(found, []):
        for trace in chart.traces:
            if "symbol" in trace.get("marker", {}) and isinstance(trace["marker"]["symbol"], str):
                mark = trace["marker"]["color"], trace["marker"]["symbol"]
                seen.setdefault(trace["name"], set()).add(mark)
    assert len(seen) == 4 and all(len(marks) == 1 for marks in seen.values())


def test_the_same_numbers_stand_in_a_table():
    chart, figure = bubbles()
    values = [(row[0].value, row[1].value, row[4].value) for row in figure.table.rows]
    assert values == [(b.attention, b.accuracy, b.step_ms) for b in chart.bubbles]


def test_growth_has_a_line_an_attention_and_names_what_ended():
    time, memory = growth_figures(*growth_charts([sheet()]), LOOKS)
    linear, softmax = time.traces
    assert linear["x"] == (512, 1024, 2048, 4096) and linear["y"] == [5, 10, 20, 40]
    assert softmax["y"] == [5, 20, 80] and "N^2.00" in softmax["name"]
    assert linear["error_y"]["array"] == [1, 2, 4, 8]
    assert "softmax: out of memory at N = 4,096." in time.summary
    assert memory.traces[0]["y"] == [10, 20, 40, 80]


def test_memory_was_measured_once_and_its_method_is_named():
    time, memory = growth_figures(*growth_charts([sheet()]), LOOKS)
    assert "percentile" in time.notes[0] and "20th percentile" in time.table.columns
    assert memory.notes[0].startswith("Points: allocator peak, measured once.")
    assert not any("percentile" in text for text in (*memory.notes, *memory.table.columns))
    assert not any("error_y" in trace for trace in memory.traces)


def test_learning_curves_are_means_over_seeds_with_their_ends():
    chart = curve_charts([(one.record, one.curve) for one in TWO])[0]
    accuracy, _ = curve_figures(chart, LOOKS)
    assert [trace["name"] for trace in accuracy.traces] == [
        *("linear", "linear+gfsa", "softmax", "softmax+gfsa")
    ]
    mean = next(t for t in chart.accuracy if t.attention == "linear" and t.seed is None)
    drawn = accuracy.traces[0]
    assert len(drawn["x"]) <= 50 and (drawn["x"][0], drawn["x"][-1]) == (50, 5000)
    assert drawn["y"][-1] == pytest.approx(mean.values[-1], rel=1e-3)
    assert "means over seeds" in accuracy.summary and "is highest" in accuracy.summary


def test_the_best_of_a_long_curve_is_drawn():
    points = [Point(10 * i, None, None, 1.0, 0.9 if i == 503 else 0.3) for i in range(1, 1001)]
    (accuracy,) = curve_figures(*curve_charts([(run().record, Curve(tuple(points)))]), LOOKS)
    (trace,) = accuracy.traces
    assert max(trace["y"]) == 90 and trace["x"][trace["y"].index(90)] == 5030
    assert "means over seeds" not in accuracy.summary and "1 attention against" in accuracy.summary


def test_training_losses_are_drawn_as_the_chart_has_them_and_not_ranked():
    chart = curve_charts([(one.record, one.curve) for one in TWO])[0]
    _, loss = curve_figures(chart, LOOKS)
    assert loss.label.startswith("Training loss: ") and "highest" not in loss.summary
    mean = next(t for t in chart.loss if t.attention == "linear" and t.seed is None)
    assert loss.traces[0]["x"] == mean.steps and len(mean.steps) == 100
    assert set(chart.caption.notes) <= set(loss.notes)


def test_runs_without_a_result_are_named_under_learning_curves():
    lost = failed("softmax", "listops", seed=7, data=run().record.data)
    curves, *_ = (chart for chart in figures([*TWO, lost], []) if chart.kind == "Learning curves")
    assert "Without a result: softmax (out of memory, seed 7)." in curves.notes


def test_tasks_have_a_column_each_in_which_attentions_do_not_cover_each_other():
    (chart,) = task_charts(one.record for one in TWO)
    figure = task_figure(chart, LOOKS)
    x = sorted(value for trace in figure.traces for value in trace["x"])
    assert len(x) == 8 and min(b - a for a, b in itertools.pairwise(x)) > 0.19
    assert [round(value) for value in x] == [0] * 4 + [1] * 4


def test_names_are_text_to_plotly_too():
    name = "<b>linear</b>&<br>"
    _, figure = bubbles([run(name, "listops")], Looks([name]))
    (circle,) = circles(figure).values()
    assert (
        circle["name"]
        == circle["text"][0]
        == plain(name)
        == ("&lt;b&gt;linear&lt;/b&gt;&amp;&lt;br&gt;")
    )
    assert circle["hovertext"].startswith(plain(name) + "<br>accuracy")
    assert name in figure.summary  # which becomes a text node
