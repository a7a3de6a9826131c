import dataclasses

import pytest

from lra.measure.sheet import Limits, Pass, Row, Settings, Sheet
from lra.measure.timing import Timing
from lra.results.figures.draw_growth import draw_growth, ends_note
from lra.results.figures.growth import Ended, growth_charts
from lra.results.figures.palette import Looks
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


def test_a_line_has_medians_bands_exponents_and_its_end():
    (chart,) = growth_charts([sheet(*LINEAR, *SOFTMAX, DEAD)])
    linear, softmax = chart.time
    assert linear.N == (1024, 2048, 4096, 8192) and linear.values == (2, 4, 8, 16)
    assert linear.low == pytest.approx((1.8, 3.6, 7.2, 14.4)) and linear.ended is None
    assert [line.growth.exponent for line in chart.time] == pytest.approx([1, 2])
    assert softmax.ended == Ended(8192, "out of memory") and softmax.N[-1] == 4096
    assert [line.growth.exponent for line in chart.memory] == pytest.approx([1, 2])


def test_settings_and_machines_never_share_a_figure():
    other = dataclasses.replace(ENVIRONMENT, device="Other CPU")
    moved = dataclasses.replace(sheet(*LINEAR), environment=other)
    charts = growth_charts([sheet(*LINEAR), sheet(*LINEAR, batch=2), moved])
    assert len(charts) == 3 and len({chart.caption.name for chart in charts}) == 3


def test_every_setting_is_spelled_and_machines_are_told_apart():
    high = dataclasses.replace(ENVIRONMENT, matmul="high")
    step = {"level": "step", "task": "listops", "protocol": "quick", "modified": {}}
    parts = sheet(*LINEAR, **step, micro_batch=4)
    changed = sheet(*LINEAR, **step | {"modified": {"model.dim": 32}})
    moved = dataclasses.replace(parts, environment=high)
    on_cuda = dataclasses.replace(LINEAR[0], memory={"cuda_allocated_peak": 1000})
    charts = growth_charts([parts, changed, moved, sheet(on_cuda, **step, accelerator="cuda")])
    labels = [chart.caption.label for chart in charts]
    assert len(set(labels)) == len({chart.caption.title for chart in charts}) + 1 == 4
    text = " ".join(labels)
    assert "protocol quick, modified (model.dim=32)" in text and "in parts of 4" in text
    assert "float32 products high" in text and "float32 on cuda" in text
    assert all("float32 products" in chart.caption.footer for chart in charts)


def test_memory_is_named_by_its_method_and_has_no_band():
    (chart,) = growth_charts([sheet(*LINEAR)])
    assert "Memory: allocator peak, measured once." in " ".join(chart.caption.notes)
    assert chart.method == "allocator peak" and chart.memory[0].low is None
    time, memory, _ = draw_growth(chart, Looks(["linear"])).axes
    assert len(time.collections) == 1 and not memory.collections


def test_sheets_of_one_machine_share_one_and_the_last_measured_row_counts():
    later = sheet(row("linear", 1024, 3.0), finished="2026-01-02")
    (chart,) = growth_charts([later, sheet(*LINEAR), sheet(*SOFTMAX)])
    assert [line.attention for line in chart.time] == ["linear", "softmax"]
    assert chart.time[0].values == (3, 4, 8, 16)


def test_what_has_no_figure_is_named():
    gone = Row("rfa", 1024, "unsupported", "no")
    gap = Row("linear", 512, "error", "x")
    (chart,) = growth_charts([sheet(gap, *LINEAR, gone)])
    assert chart.missing == ("linear at N = 512 (error)", "rfa (unsupported)")
    assert "rfa (unsupported)" in " ".join(chart.caption.notes) and chart.time[0].ended is None
    assert growth_charts([sheet(gone)]) == []


def test_lines_bands_ends_and_guides_are_drawn_as_the_data_say():
    (chart,) = growth_charts([sheet(*LINEAR, *SOFTMAX, DEAD)])
    figure = draw_growth(chart, Looks(["linear", "softmax"]))
    time, memory, legend = figure.axes
    lines = {line.get_label(): line for line in time.lines}
    assert lines["softmax"].get_xydata().tolist() == [[1024, 4], [2048, 16], [4096, 64]]
    assert lines["out of memory"].get_xydata().tolist() == [[4096, 64]]
    assert lines["out of memory"].get_marker() == "x"
    (x1, x2), (y1, y2) = lines["N²"].get_data()
    assert y2 / y1 == pytest.approx((x2 / x1) ** 2)
    band = {c.get_gid(): c for c in time.collections}["linear"].get_paths()[0].vertices
    assert [band[:, 1].min(), band[:, 1].max()] == pytest.approx([1.8, 17.6])
    assert time.get_xscale() == time.get_yscale() == "log"
    assert memory.get_ylabel() == "peak memory (MB)"
    assert memory.lines[0].get_ydata()[0] == pytest.approx(3000 * 1024 / 1e6)
    words = [text.get_text() for text in legend.texts]
    assert words[0] == "linear: 1.00 [1.00, 1.00]; 1.00 [1.00, 1.00]"
    assert ends_note(chart.time) == ["A line ends: × out of memory."]


def test_one_length_is_drawn_without_an_exponent():
    step = {"level": "step", "task": "listops", "protocol": "quick", "modified": {}}
    (chart,) = growth_charts([sheet(row("linear", 1024, 3.0), **step)])
    figure = draw_growth(chart, Looks(["linear"]))
    assert figure.axes[0].get_ylabel() == "training step (ms)"
    assert [text.get_text() for text in figure.axes[-1].texts] == ["linear"]
