import matplotlib
import pytest

from lra.results.figures.bubble import bubble_charts
from lra.results.figures.chart import log_axis
from lra.results.figures.palette import Looks
from lra.results.figures.paper import COLUMN, draw, save
from tests.lra.test_results import RUNS, record


@pytest.fixture(scope="module")
def drawn():
    (chart,) = bubble_charts(RUNS)
    return draw(chart, Looks(["linear", "linear+gfsa"]))


def test_equal_data_give_equal_files_whatever_the_readers_settings(tmp_path, drawn):
    first = save(drawn, tmp_path / "a", "x")
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.grid": True}):
        other = draw(bubble_charts(RUNS)[0], Looks(["linear", "linear+gfsa"]))
        second = save(other, tmp_path / "b", "x")
    assert [path.name for path in first] == ["x.png", "x.svg", "x.pdf"]
    for path, other in zip(first, second, strict=True):
        assert path.read_bytes() == other.read_bytes()
    assert first[0].read_bytes().startswith(b"\x89PNG") and b"<svg" in first[1].read_bytes()
    assert first[2].read_bytes().startswith(b"%PDF") and len(list((tmp_path / "a").iterdir())) == 3


def test_a_reader_of_a_column_can_read_it(drawn):
    assert drawn.get_size_inches()[0] == COLUMN
    texts = [text for text in drawn.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 7
    for text in drawn.texts:
        box = text.get_window_extent()
        assert 0 <= box.x0 and box.x1 <= drawn.bbox.width


def test_names_of_neighbours_do_not_cover_each_other():
    runs = [record(name, 0, 0.3, step) for name, step in (("relu", 100), ("rfa", 101), ("agf", 99))]
    figure = draw(bubble_charts(runs)[0], Looks(["relu", "rfa", "agf"]))
    names = {"relu", "rfa", "agf"}
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if t.get_text() in names]
    assert len(boxes) == 3 and not any(box.count_overlaps(boxes) > 1 for box in boxes)


def test_ticks_are_round_whatever_the_range():
    ticks = [[tick for tick, _ in log_axis("", values).ticks] for values in ((90, 3300), (1, 9e4))]
    assert ticks == [[100, 200, 500, 1000, 2000], [1, 10, 100, 1000, 10000, 100000]]
    assert len(log_axis("", (61.0, 62.0)).ticks) == 2
