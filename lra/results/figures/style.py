"""One style for every figure: a page of a column's or a text's width with its caption on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo import UsageError
from lra.results.captions import Caption
from lra.system.files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, TEXT = 3.5, 7.0  # inches: a figure of one column of a paper, and of both
FONT = "DejaVu Sans"  # comes with matplotlib
SIZE, TITLE = 7.0, 8.0  # points
POINT = 1 / 72  # inch
LINE, MARGIN = 1.3 * SIZE * POINT, 0.06  # inches
GREY = "#6E6E6E"
# Of a logarithmic axis' ticks, from few to many.
MANTISSAS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8))
METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
STYLE = {
    "font.family": FONT,
    "font.size": SIZE,
    "axes.titlesize": SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # letters stay letters
    "svg.hashsalt": "lra-gfsa",
    "svg.fonttype": "path",
}


@contextmanager
def styled() -> Iterator[None]:
    """Every figure is drawn and saved in it; UsageError where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError as error:
        raise UsageError(
            "figures need matplotlib, which is not installed: pip install -e '.[report]'"
        ) from error
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "agg", **STYLE}):
        yield


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """PNG, SVG and PDF, each whole; of equal figures equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{kind}" for kind in METADATA]
    with styled():
        for path, (kind, metadata) in zip(paths, METADATA.items(), strict=True):
            with whole(path) as file:
                figure.savefig(file, format=kind, dpi=300, metadata=metadata)
    return paths


@dataclass(frozen=True)
class Page:
    """A figure with its title on top and its notes and footer at the bottom, and the room that
    they leave: inches from the lower left corner."""

    figure: Figure
    width: float
    bottom: float

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Inches, from the lower left corner of the room."""
        across, up = self.figure.get_size_inches()
        return self.figure.add_axes(
            (left / across, (self.bottom + bottom) / up, width / across, height / up)
        )


def page(caption: Caption, width: float, height: float, more: Sequence[str] = ()) -> Page:
    """height: of the room for axes; more: notes that depend on the drawing. Inches."""
    from matplotlib.figure import Figure

    room = (width - 2 * MARGIN) / POINT
    title = wrapped(caption.title, room, TITLE)
    notes = wrapped(" ".join([*caption.notes, *more]), room)
    footer = wrapped(caption.footer, room)
    bottom = (len(notes) + len(footer)) * LINE + 3 * MARGIN
    top = len(title) * LINE * TITLE / SIZE + 2 * MARGIN
    whole_height = bottom + height + top
    figure = Figure(figsize=(width, whole_height))
    left = MARGIN / width
    spread = {"linespacing": 1.3 / 1.164, "va": "top"}  # DejaVu's own line is 1.164 em
    figure.text(left, 1 - MARGIN / whole_height, "\n".join(title), fontsize=TITLE, **spread)
    y = (bottom - MARGIN) / whole_height
    figure.text(left, y, "\n".join(notes), **spread)
    y -= (len(notes) * LINE + MARGIN) / whole_height
    figure.text(left, y, "\n".join(footer), color=GREY, **spread)
    return Page(figure, width, bottom)


def width_of(text: str, size: float = SIZE) -> float:
    """Points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


def wrapped(text: str, width: float, size: float = SIZE) -> list[str]:
    """Lines of at most `width` points; a word that is longer is broken."""
    width *= 0.97  # pixels' hinting widens letters
    lines: list[str] = []
    for word in _broken(text.split(), width, size):
        if lines and width_of(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _broken(words: Iterable[str], width: float, size: float) -> Iterator[str]:
    for word in words:
        rest = word
        while width_of(rest, size) > width:
            cut = max(1, int(len(rest) * width / width_of(rest, size)) - 1)
            yield rest[:cut]
            rest = rest[cut:]
        yield rest


def log_ticks(low: float, high: float, least: int = 3) -> list[float]:
    """Round values of an axis from low to high, at least so many."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for mantissas in MANTISSAS:
        ticks = [m * 10.0**d for d in decades for m in mantissas]
        shown = [tick for tick in ticks if low <= tick <= high]
        if len(shown) >= least:
            return shown
    from matplotlib.ticker import MaxNLocator

    return [t for t in MaxNLocator(4).tick_values(low, high) if low <= t <= high]


def darker(color: str) -> tuple[float, ...]:
    """For letters, which are thin."""
    from matplotlib.colors import to_rgb

    return tuple(0.65 * part for part in to_rgb(color))


def ticks(axis: object, values: Sequence[float]) -> None:
    """On a logarithmic axis: these and no others, in plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis.set_major_locator(FixedLocator(values))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def memory(bytes_: float) -> str:
    """Three digits: 512 kB, 1.5 MB, 20 GB."""
    unit, name = next(((u, n) for u, n in ((1e9, "GB"), (1e6, "MB")) if bytes_ >= u), (1e3, "kB"))
    return f"{bytes_ / unit:.3g} {name}"
