import pytest

from lra.results.figures.palette import Looks
from lra.results.figures.paper import draw
from lra.results.figures.tasks import task_charts
from lra.results.record import Data
from tests.lra.test_results import RUNS, failure, record

TEXT = Data("official", "a" * 16, {})
OTHER = Data("generated", "e" * 16, {})


def on_text(attention="linear", accuracy=0.6):
    return record(attention, 0, accuracy, identity=f"text {attention}", task="text", data=TEXT)


def test_a_panel_a_task_with_its_chance():
    (chart,) = task_charts([on_text(), *RUNS, failure("softmax")])
    assert [panel.x.title for panel in chart.panels] == [
        "ListOps, %\nchance 10.0",
        "Text, %\nchance 50.0",
    ]
    rows = {(row["task"], row["attention"]): row for row in chart.numbers}
    assert len(rows) == 3
    linear = rows["ListOps", "linear"]
    assert (linear["test accuracy, %"], linear["±"]) == pytest.approx((37, 1))
    assert "Without a result: ListOps: softmax (1 out of memory)." in chart.notes


def test_other_precisions_have_other_figures_and_other_data_other_panels():
    assert len(task_charts([*RUNS, record("relu", precision="bf16-mixed")])) == 2
    (chart,) = task_charts([*RUNS, record("relu", data=OTHER)])
    found = [panel.x.title.partition("\n")[0] for panel in chart.panels]
    assert found == ["ListOps (generated, eeeeeeee), %", "ListOps (generated, ffffffff), %"]


def test_filters_stand_under_their_attention_in_every_panel():
    (chart,) = task_charts([on_text("relu"), *RUNS])
    for panel in chart.panels:
        assert [name for _, name in panel.y.ticks] == ["linear", "linear+gfsa", "relu"]
    assert chart.panels[1].series[0].y == [2]


def test_points_and_bars_are_drawn_as_the_data_say():
    (chart,) = task_charts([*RUNS[:3], on_text(accuracy=0.52)])
    listops, _ = draw(chart, Looks(["linear", "linear+gfsa"])).axes
    (bars,) = listops.containers
    assert bars.lines[0].get_xdata()[0] == pytest.approx(37)
    assert bars.lines[2][0].get_segments()[0][:, 0] == pytest.approx([36, 38])
    assert [label.get_text() for label in listops.get_yticklabels()] == ["linear"]
    # Chance is a line where it is near, and in the title anyway.
    assert [len(panel.levels) for panel in chart.panels] == [0, 1]
