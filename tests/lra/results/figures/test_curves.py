import pytest

from lra.results.curves import Curve, Point
from lra.results.figures.curves import POINTS, curve_charts, run_panels
from lra.results.figures.palette import Looks
from lra.results.figures.paper import draw
from tests.lra.test_results import QUICK, failure, record


def curve(*points):
    return Curve(tuple(Point(step, loss, None, None, val) for step, loss, val in points))


TWO = [
    (record("linear", 0), curve((10, 2.0, None), (20, 1.0, 0.2), (40, 0.5, 0.4))),
    (record("linear", 1), curve((10, 4.0, None), (20, 3.0, 0.3), (30, 2.0, None))),
]


def panels(runs):
    (chart,) = curve_charts(runs)
    return [panel.series for panel in chart.panels]


def test_seeds_then_their_mean_at_the_steps_that_all_have():
    accuracy, loss = panels(TWO)
    assert [(one.thin, list(one.x)) for one in loss] == [
        (True, [10, 20, 40]),
        (True, [10, 20, 30]),
        (False, [10, 20]),
    ]
    assert loss[-1].y == [3.0, 2.0]
    assert list(accuracy[0].x) == [20, 40] and accuracy[0].y == pytest.approx([20, 40])
    assert accuracy[-1].y == pytest.approx([25])
    (chart,) = curve_charts(TWO)
    assert chart.panels[0].levels == {"chance": 10.0}
    (numbers,) = chart.numbers
    assert list(numbers.values()) == ["linear", 20, *[pytest.approx(25)] * 2, 20, 2.0]


def test_many_steps_become_means_over_windows():
    steps = [(10 * i, float(i), 0.5) for i in range(1, 2 * POINTS + 1)]
    (chart,) = curve_charts([(record(), curve(*steps))])
    (trace,) = chart.panels[1].series
    assert len(trace.x) == POINTS and trace.x[:2] == [20, 40] and trace.y[:2] == [1.5, 3.5]
    assert "windows of 20 steps" in " ".join(chart.notes)


def test_a_long_curve_keeps_its_first_last_and_best_validation():
    points = [Point(10 * i, None, None, 1.0, 0.9 if i == 503 else 0.3) for i in range(1, 1001)]
    ((trace,),) = panels([(record(), Curve(tuple(points)))])
    assert len(trace.x) <= POINTS and (trace.x[0], trace.x[-1]) == (10, 10_000)
    assert max(trace.y) == 90 and trace.x[trace.y.index(90)] == 5030


def test_a_run_has_its_validation_and_windows_of_its_training():
    train = [Point(5 * i, float(i), 0.5, None, None) for i in range(1, 2 * POINTS + 1)]
    whole = Curve((*train, Point(600, None, None, 1.5, 0.25), Point(900, None, None, 1.0, 0.75)))
    accuracy, loss = (panel.series for panel in run_panels("linear", whole))
    assert [(one.attention, one.name) for one in loss] == [
        ("linear", "validation"),
        (None, "training"),
    ]
    assert (accuracy[0].x, accuracy[0].y) == ([600, 900], [25, 75]) and loss[0].y == [1.5, 1]
    assert len(loss[1].x) == POINTS and (loss[1].x[0], loss[1].y[0]) == (10, 1.5)
    (alone,) = run_panels("linear", Curve((Point(600, None, None, 1.5, 0.25),)))[0].series
    assert alone.name == "validation"


def test_other_protocols_have_other_figures_and_missing_curves_are_counted():
    lost = Curve((), "metrics.csv is not there")
    charts = curve_charts(
        [*TWO, (record("linear", 2), lost), (record(protocol=QUICK, identity="quick"), TWO[0][1])]
    )
    assert len(charts) == 2
    assert sum("Without a curve: 1 run." in chart.notes for chart in charts) == 1
    assert curve_charts([(record(), lost)]) == []


def test_failed_runs_are_named():
    (chart,) = curve_charts([*TWO, (failure("softmax", 3), Curve(()))])
    assert "Without a result: softmax (1 out of memory)." in chart.notes


def test_seeds_that_share_no_step_have_no_mean():
    apart = [(record("linear", s), curve((10 + s, 2.0, None), (20 + s, 1.0, 0.2))) for s in (0, 1)]
    (chart,) = curve_charts(apart)
    assert [one.thin for panel in chart.panels for one in panel.series] == [True] * 4
    assert draw(chart, Looks(["linear"])).axes


def test_traces_are_drawn_as_the_data_say_and_thin_lines_of_a_filter_keep_its_dashes():
    (chart,) = curve_charts([*TWO, *((record("linear+gfsa", r.seed), c) for r, c in TWO)])
    figure = draw(chart, Looks(["linear", "linear+gfsa"]))
    left, right = figure.axes
    lines = {c.get_label(): c.lines[0] for c in left.containers}
    assert lines["_linear, seed 0"].get_xydata().tolist() == [[20, 20], [40, 40]]
    assert lines["_linear+gfsa, seed 0"].is_dashed() and lines["linear+gfsa"].is_dashed()
    assert not lines["_linear, seed 0"].is_dashed()
    mean = {c.get_label(): c.lines[0] for c in right.containers}["linear"]
    assert mean.get_xydata().tolist() == [[10, 3], [20, 2]]
    assert mean.get_linewidth() > lines["_linear, seed 0"].get_linewidth()
    assert [t.get_text() for t in figure.legends[0].texts] == ["linear", "linear+gfsa"]
