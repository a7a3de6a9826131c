import dataclasses

import pytest

from lra.measure.sheet import Limits, Pass, Row, Settings, Sheet
from lra.measure.timing import Timing
from lra.results.figures.growth import growth_charts
from lra.results.figures.palette import Looks
from lra.results.figures.paper import draw
from tests.lra.test_results import ENVIRONMENT

SETTINGS = Settings("operator", 1, 8, 64, "float32", "cpu", False)


def row(attention, N, ms, size=1000):
    measured = Pass(Timing(ms, 0.9 * ms, 1.1 * ms, 50), 1, 1, 1)
    memory = {"cpu_allocator_peak": size, "process_rss_peak": 3}
    return Row(attention, N, "ok", None, measured, measured, memory, [], 0)


def sheet(*rows, finished="2026-01-01", **settings):
    changed = dataclasses.replace(SETTINGS, **settings)
    limits = Limits(1e10, 1e11)
    return Sheet(1, finished, "measure", changed, ENVIRONMENT, limits, list(rows))


SOFTMAX = [row("softmax", N, (N / 512) ** 2, 16 * N * N) for N in (1024, 2048, 4096)]
LINEAR = [row("linear", N, N / 512, 3000 * N) for N in (8192, 1024, 2048, 4096)]
DEAD = Row("softmax", 8192, "out of memory", "too large")


def marks(panel):
    """The series of attentions, without guides."""
    return [one for one in panel.series if one.attention]


def test_a_line_has_medians_bands_exponents_and_its_end():
    (chart,) = growth_charts([sheet(*LINEAR, *SOFTMAX, DEAD)])
    linear, softmax = marks(chart.panels[0])
    assert linear.x == [1024, 2048, 4096, 8192] and linear.y == [2, 4, 8, 16]
    assert linear.bars[0] == pytest.approx([0.2, 0.4, 0.8, 1.6]) and linear.texts[-1] == ""
    assert linear.name == "linear: 1.00 [1.00, 1.00]; 1.00 [1.00, 1.00]"
    assert softmax.name == "softmax: 2.00 [2.00, 2.00]; 2.00 [2.00, 2.00]"
    assert softmax.texts[-1] == "×" and softmax.x[-1] == 4096
    said = "Not measured, × at the end of a line: softmax at N = 8,192 (out of memory)."
    assert said in chart.notes
    numbers = ["linear", 1024, 2, 1.8, 2.2, pytest.approx(1), 3.072, pytest.approx(1)]
    assert list(chart.numbers[0].values()) == numbers


def test_settings_and_machines_never_share_a_figure():
    other = dataclasses.replace(ENVIRONMENT, device="Other CPU")
    moved = dataclasses.replace(sheet(*LINEAR), environment=other)
    charts = growth_charts([sheet(*LINEAR), sheet(*LINEAR, batch=2), moved])
    assert len(charts) == 3 and len({chart.name for chart in charts}) == 3


def test_every_setting_is_spelled_and_machines_are_told_apart():
    high = dataclasses.replace(ENVIRONMENT, matmul="high")
    step = {"level": "step", "task": "listops", "protocol": "quick", "modified": {}}
    parts = sheet(*LINEAR, **step, micro_batch=4)
    changed = sheet(*LINEAR, **step | {"modified": {"model.dim": 32}})
    moved = dataclasses.replace(parts, environment=high)
    on_cuda = dataclasses.replace(LINEAR[0], memory={"cuda_allocated_peak": 1000})
    charts = growth_charts([parts, changed, moved, sheet(on_cuda, **step, accelerator="cuda")])
    labels = [chart.label for chart in charts]
    assert len(set(labels)) == len({chart.title for chart in charts}) + 1 == 4
    text = " ".join(labels)
    assert "protocol quick modified (model.dim=32)" in text and "in parts of 4" in text
    assert "float32 products high" in text and "float32, nothing padded, on cuda" in text
    assert all("float32 products" in chart.notes[-1] for chart in charts)


def test_memory_is_named_by_its_method_and_has_no_bars():
    (chart,) = growth_charts([sheet(*LINEAR)])
    assert "Memory: allocator peak, measured once." in chart.notes[0]
    assert [one.bars is None for one in marks(chart.panels[1])] == [True]


def test_sheets_of_one_machine_share_one_and_the_last_measured_row_counts():
    later = sheet(row("linear", 1024, 3.0), finished="2026-01-02")
    (chart,) = growth_charts([later, sheet(*LINEAR), sheet(*SOFTMAX)])
    assert [line.attention for line in marks(chart.panels[0])] == ["linear", "softmax"]
    assert chart.panels[0].series[0].y == [3, 4, 8, 16]


def test_what_has_no_figure_is_named():
    gone = Row("rfa", 1024, "unsupported", "no")
    gap = Row("linear", 512, "error", "x")
    (chart,) = growth_charts([sheet(gap, *LINEAR, gone)])
    said = "linear at N = 512 (error), rfa at N = 1,024 (unsupported)."
    assert chart.notes[1].endswith(said) and not any(chart.panels[0].series[0].texts)
    assert growth_charts([sheet(gone)]) == []


def test_lines_bars_and_guides_are_drawn_as_the_data_say():
    (chart,) = growth_charts([sheet(*LINEAR, *SOFTMAX, DEAD)])
    figure = draw(chart, Looks(["linear", "softmax"]))
    time, memory = figure.axes
    linear, softmax = time.containers
    assert softmax.lines[0].get_xydata().tolist() == [[1024, 4], [2048, 16], [4096, 64]]
    assert linear.lines[2][0].get_segments()[-1][:, 1] == pytest.approx([14.4, 17.6])
    (x1, x2), (y1, y2) = [line for line in time.lines if line.get_label() == "_guide"][1].get_data()
    assert y2 / y1 == pytest.approx((x2 / x1) ** 2)
    assert {"×", "N", "N²"} <= {text.get_text() for text in time.texts}
    assert time.get_xscale() == time.get_yscale() == "log"
    assert memory.get_ylabel() == "peak memory, MB"
    assert memory.containers[0].lines[0].get_ydata()[0] == pytest.approx(3000 * 1024 / 1e6)
    words = [text.get_text() for text in figure.legends[0].texts]
    assert words[0] == "linear: 1.00 [1.00, 1.00]; 1.00 [1.00, 1.00]"


def test_one_length_is_drawn_without_an_exponent():
    step = {"level": "step", "task": "listops", "protocol": "quick", "modified": {}}
    (chart,) = growth_charts([sheet(row("linear", 1024, 3.0), **step)])
    figure = draw(chart, Looks(["linear"]))
    assert figure.axes[0].get_ylabel() == "training step, ms"
    assert [text.get_text() for text in figure.legends[0].texts] == ["linear"]
