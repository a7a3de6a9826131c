import dataclasses

import pytest

from lra.results.figures.palette import Looks
from lra.results.figures.paper import draw
from lra.results.figures.robustness import corruption_charts, fraction_charts
from tests.lra.test_corruptions import RUNS as EVALUATED
from tests.lra.test_corruptions import found_of
from tests.lra.test_fractions import PART, RUNS, of
from tests.lra.test_results import failure, record


def test_a_line_an_attention_through_its_fractions():
    lost = failure("softmax", data=of(PART, train_fraction=0.5))
    (chart,) = fraction_charts([*RUNS, lost])
    (panel,) = chart.panels
    assert [text for _, text in panel.x.ticks] == ["10 %", "50 %", "100 %"]
    linear, filtered = panel.series
    assert linear.x == pytest.approx([10, 50, 100]) and linear.joined
    assert linear.y == pytest.approx([21, 25, 30]) and filtered.y == pytest.approx([31, 35, 40])
    assert panel.levels == {"chance": 10.0}
    assert "Without a result: 50 %: softmax (1 out of memory)." in chart.notes
    assert "linear+gfsa is highest, at 40 %" in chart.summary
    assert fraction_charts(RUNS[2:3]) == []
    assert fraction_charts(RUNS[:2])[0].name == chart.name  # whatever else is on record


def test_severity_0_is_without_corruption():
    (chart,) = corruption_charts(EVALUATED, found_of(EVALUATED))
    (panel,) = chart.panels
    assert [text for _, text in panel.x.ticks] == ["clean", "1", "2", "3", "4", "5"]
    linear = next(one for one in panel.series if one.attention == "linear")
    assert linear.x == [0, 1, 2, 3, 4, 5]
    assert linear.y == pytest.approx([40, 39, 37, 35, 33, 31])
    assert linear.bars[0][0] == 0 and linear.bars[0][1] == pytest.approx(2**0.5)
    single = record("linear", 5, 0.5)
    (alone,) = corruption_charts([single], found_of([single]))
    assert set(alone.panels[0].series[0].bars[0]) == {0.0}
    other = dataclasses.replace(single, data=of(single.data, train_fraction=0.5))
    found = found_of([single, other])
    assert "trained on 50 %" in corruption_charts([other], found)[0].title
    assert corruption_charts([single], {}) == []


def test_both_are_drawn_as_the_data_say():
    charts = [*fraction_charts(RUNS), *corruption_charts(EVALUATED, found_of(EVALUATED))]
    for chart in charts:
        looks = Looks([one.attention for one in chart.panels[0].series])
        (axes,) = draw(chart, looks).axes
        drawn = [list(bars.lines[0].get_ydata()) for bars in axes.containers]
        assert drawn == [pytest.approx(one.y) for one in chart.panels[0].series]
