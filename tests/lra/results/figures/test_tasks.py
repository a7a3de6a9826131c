import pytest

from lra.results.figures.draw_tasks import draw_tasks, rows_of
from lra.results.figures.palette import Looks
from lra.results.figures.tasks import task_charts
from lra.results.record import Data
from tests.lra.test_results import RUNS, failure, record

TEXT = Data("official", "a" * 16, {})
OTHER = Data("generated", "e" * 16, {})


def on_text(attention="linear", accuracy=0.6):
    return record(attention, 0, accuracy, identity=f"text {attention}", task="text", data=TEXT)


def test_a_column_a_task_with_its_chance():
    (chart,) = task_charts([on_text(), *RUNS, failure("softmax")])
    assert [(column.label, column.chance) for column in chart.columns] == [
        ("listops\ngenerated data", 10.0),
        ("text\nofficial data", 50.0),
    ]
    points = {(point.column, point.attention): point for point in chart.points}
    assert set(points) == {(0, "linear"), (0, "linear+gfsa"), (1, "linear")}
    assert (points[0, "linear"].accuracy, points[0, "linear"].error) == pytest.approx((37, 1))
    assert chart.failures == ("listops: softmax (out of memory, seed 0)",)


def test_other_precisions_have_other_figures_and_other_data_other_columns():
    assert len(task_charts([*RUNS, record("relu", precision="bf16-mixed")])) == 2
    (chart,) = task_charts([*RUNS, record("relu", data=OTHER)])
    assert [column.label.split("\n")[2] for column in chart.columns] == ["eeeeeeee", "ffffffff"]


def test_filters_stand_under_their_attention():
    places, names, height = rows_of({"linear", "linear+gfsa", "relu"})
    assert places["linear"] < places["linear+gfsa"] < places["relu"] < height
    assert list(names) == ["linear", "relu"]
    assert places["linear"] < names["linear"] < places["linear+gfsa"]
    _, names, _ = rows_of({"linear", "linear+gfsa", "linear+gfsa:K=4"})
    assert list(names) == ["linear", "linear+gfsa", "linear+gfsa:K=4"]


def test_points_and_bars_are_drawn_as_the_data_say():
    runs = [*RUNS[:3], on_text(accuracy=0.52)]
    (chart,) = task_charts(runs)
    listops, text = draw_tasks(chart, Looks(["linear", "linear+gfsa"])).axes
    bars = {bar.get_label(): bar for bar in listops.containers}
    assert bars["linear"].lines[0].get_xdata()[0] == pytest.approx(37)
    assert bars["linear"].lines[2][0].get_segments()[0][:, 0] == pytest.approx([36, 38])
    labels = [label.get_text() for label in listops.get_yticklabels()]
    assert labels == ["linear"]
    assert "chance 10.0" in listops.get_title(loc="left")
    # Chance is a line where it is near, as on text, and words where it would take the room.
    assert [line.get_xdata()[0] for line in text.lines if line.get_label() == "chance"] == [50.0]
    assert not [line for line in listops.lines if line.get_label() == "chance"]
    assert text.get_xlim()[0] < 50


def test_very_long_names_widen_the_page():
    name = "performer:" + ",".join(f"option{i}={i}" for i in range(12))
    (chart,) = task_charts([record(name)])
    (axes,) = draw_tasks(chart, Looks([name])).axes
    assert axes.get_position().width * axes.figure.get_size_inches()[0] > 0.7
