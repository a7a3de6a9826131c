import pytest

from lra.results.curves import Curve, Point
from lra.results.figures.curves import WINDOWS, curve_charts
from lra.results.figures.draw_curves import draw_curves
from lra.results.figures.palette import Looks
from tests.lra.test_results import QUICK, failure, record


def curve(*points):
    return Curve(tuple(Point(step, loss, None, None, val) for step, loss, val in points))


TWO = [
    (record("linear", 0), curve((10, 2.0, None), (20, 1.0, 0.2), (40, 0.5, 0.4))),
    (record("linear", 1), curve((10, 4.0, None), (20, 3.0, 0.3), (30, 2.0, None))),
]


def test_seeds_then_their_mean_at_the_steps_that_all_have():
    (chart,) = curve_charts(TWO)
    assert [(t.seed, t.steps) for t in chart.loss] == [
        (0, (10, 20, 40)),
        (1, (10, 20, 30)),
        (None, (10, 20)),
    ]
    assert chart.loss[-1].values == (3.0, 2.0)
    assert chart.accuracy[0].steps == (20, 40)
    assert chart.accuracy[0].values == pytest.approx((20, 40))
    assert chart.accuracy[-1].values == pytest.approx((25,))
    assert chart.chance == 10.0


def test_many_steps_become_means_over_windows():
    steps = [(10 * i, float(i), None) for i in range(1, 2 * WINDOWS + 1)]
    (chart,) = curve_charts([(record(), curve(*steps))])
    (trace,) = chart.loss
    assert len(trace.steps) == WINDOWS and trace.steps[:2] == (20, 40)
    assert trace.values[:2] == (1.5, 3.5)
    assert "windows of 20 steps" in " ".join(chart.caption.notes)


def test_other_protocols_have_other_figures_and_missing_curves_are_counted():
    lost = Curve((), "metrics.csv is not there")
    charts = curve_charts(
        [*TWO, (record("linear", 2), lost), (record(protocol=QUICK, identity="quick"), TWO[0][1])]
    )
    assert len(charts) == 2
    assert sorted(chart.missing for chart in charts) == [(), ("metrics.csv is not there",)]
    assert curve_charts([(record(), lost)]) == []


def test_failed_runs_and_missing_curves_are_named():
    runs = [*TWO, (record("linear", 2), Curve((), "not there")), (failure("softmax", 3), Curve(()))]
    (chart,) = curve_charts(runs)
    assert chart.failures == ("softmax (out of memory, seed 3)",)
    assert "Without a result: softmax (out of memory, seed 3)." in chart.caption.notes
    assert "Without a curve: 1 run." in chart.caption.notes


def test_seeds_that_share_no_step_have_no_mean():
    apart = [(record("linear", s), curve((10 + s, 2.0, None), (20 + s, 1.0, 0.2))) for s in (0, 1)]
    (chart,) = curve_charts(apart)
    assert [trace.seed for trace in (*chart.accuracy, *chart.loss)] == [0, 1, 0, 1]
    assert draw_curves(chart, Looks(["linear"])).axes


def test_thin_lines_of_a_filter_keep_its_dashes():
    (chart,) = curve_charts([*TWO, *((record("linear+gfsa", r.seed), c) for r, c in TWO)])
    left = draw_curves(chart, Looks(["linear", "linear+gfsa"])).axes[0]
    lines = {line.get_label(): line for line in left.lines}
    thin, thick = lines["linear+gfsa, seed 0"], lines["linear+gfsa"]
    assert thin.is_dashed() and thick.is_dashed()
    assert not lines["linear, seed 0"].is_dashed()


def test_traces_are_drawn_as_the_data_say():
    (chart,) = curve_charts(TWO)
    left, right, legend = draw_curves(chart, Looks(["linear"])).axes
    lines = {line.get_label(): line for line in left.lines}
    assert lines["linear, seed 0"].get_xydata().tolist() == [[20, 20], [40, 40]]
    assert lines["chance"].get_ydata()[0] == 10.0
    mean = {line.get_label(): line for line in right.lines}["linear"]
    assert mean.get_xydata().tolist() == [[10, 3], [20, 2]]
    assert mean.get_linewidth() > lines["linear, seed 0"].get_linewidth()
    assert [text.get_text() for text in legend.texts] == ["linear"]
