import matplotlib

from lra.results.figures.bubble import bubble_charts
from lra.results.figures.draw_bubble import draw_bubbles
from lra.results.figures.palette import Looks
from lra.results.figures.style import (
    COLUMN,
    SIZE,
    log_ticks,
    memory,
    save,
    styled,
    width_of,
    wrapped,
)
from tests.lra.test_results import RUNS


def draw():
    return draw_bubbles(bubble_charts(RUNS)[0], Looks(["linear", "linear+gfsa"]))


def test_equal_data_give_equal_files_whatever_the_readers_settings(tmp_path):
    first = save(draw(), tmp_path / "a", "x")
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.grid": True}):
        second = save(draw(), tmp_path / "b", "x")
    assert [path.name for path in first] == ["x.png", "x.svg", "x.pdf"]
    for path, other in zip(first, second, strict=True):
        assert path.read_bytes() == other.read_bytes()
    assert first[0].read_bytes().startswith(b"\x89PNG") and b"<svg" in first[1].read_bytes()
    assert first[2].read_bytes().startswith(b"%PDF") and len(list((tmp_path / "a").iterdir())) == 3


def test_a_reader_of_a_column_can_read_it():
    figure = draw()
    assert figure.get_size_inches()[0] == COLUMN
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 7
    figure.canvas.draw()
    width = figure.bbox.width
    for text in figure.texts:
        box = text.get_window_extent()
        assert 0 <= box.x0 and box.x1 <= width


def test_text_is_wrapped_and_long_words_are_broken():
    with styled():
        text = "some words and performer:" + "x" * 200
        lines = wrapped(text, 150)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert max(map(width_of, lines)) <= 150 and width_of("m") < SIZE


def test_ticks_are_round_whatever_the_range():
    assert log_ticks(90, 3300) == [100, 300, 1000, 3000]
    assert log_ticks(0.5, 2e4) == [1, 10, 100, 1000, 10000]
    assert len(log_ticks(61.0, 62.0)) >= 2 and all(61 <= t <= 62 for t in log_ticks(61.0, 62.0))


def test_memory_in_words():
    assert [memory(size) for size in (2e3, 1.5e6, 2e10)] == ["2 kB", "1.5 MB", "20 GB"]
