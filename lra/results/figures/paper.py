"""Charts in matplotlib: figures of a paper's column or text width, with their captions."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention_zoo import UsageError
from lra.results.figures.chart import Axis, Chart, Panel, Series
from lra.results.figures.labels import place_labels
from lra.results.figures.palette import Looks
from lra.system.files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, TEXT = 3.5, 7.0  # inches: a figure of one column of a paper, and of both
SIZE, TITLE = 7.0, 8.0  # points
LINE, MARGIN = 1.3 * SIZE / 72, 0.06  # inches
FEW = 8  # marks up to which a column is wide enough
GREY = "#6E6E6E"
LARGEST = 26.0  # points: the diameter of the largest circle
METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "lines.markeredgewidth": 0.7,
    "errorbar.capsize": 1.5,
    "pdf.fonttype": 42,  # letters stay letters
    "savefig.bbox": "tight",
    "savefig.dpi": 300,
    "savefig.pad_inches": MARGIN,
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
    """PNG, SVG and PDF, each whole, as large as it needs to be; of equal figures equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{kind}" for kind in METADATA]
    with styled():
        for path, (kind, metadata) in zip(paths, METADATA.items(), strict=True):
            with whole(path) as file:
                figure.savefig(file, format=kind, metadata=metadata)
    return paths


def draw(chart: Chart, looks: Looks) -> Figure:
    """All panels side by side, a legend under them where names do not stand in the figure."""
    from matplotlib.figure import Figure

    with styled():
        rows = any(panel.rows for panel in chart.panels)
        few = len(chart.panels) == 1 and len(chart.panels[0].series) <= FEW
        width = COLUMN if few else TEXT
        height = 0.7 + len(chart.panels[0].y.ticks) * LINE * 1.1 if rows else 0.4 * width + 1.2
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, len(chart.panels), squeeze=False, sharey=rows)[0]
        for ax, panel in zip(axes, chart.panels, strict=True):
            _panel(ax, panel, looks)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # what follows finds its place in this one
        for ax, panel in zip(axes, chart.panels, strict=True):
            place_labels(ax, panel, looks, LARGEST)
        named = rows or any(one.area for one in chart.panels[0].series)
        legend = 0 if named else _legend(figure, axes[0], width)
        for text, y, place in (
            (chart.title, 1 + MARGIN / height, {"va": "bottom", "fontsize": TITLE}),
            (" ".join(chart.notes), -(legend + MARGIN) / height, {"va": "top"}),
        ):
            figure.text(MARGIN / width, y, _filled(text, width), linespacing=1.15, **place)
        return figure


def _panel(ax: Axes, panel: Panel, looks: Looks) -> None:
    for one in panel.series:
        _series(ax, one, panel, looks)
    for rule, share in panel.levels.items():
        line = ax.axvline if panel.rows else ax.axhline
        line(share, color=GREY, linewidth=0.6, dashes=(3, 2), zorder=1, label=f"_{rule}")
    for rules in [] if panel.rows else panel.labels:
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "bottom"}
        ax.text(1, panel.levels[rules[-1]], _label(panel.levels, rules), color=GREY, **place)
    at = {one.attention: (one.x[0], one.y[0]) for one in panel.series}
    for start, end in panel.arrows:
        arrow = {"arrowstyle": "-|>,head_length=0.35,head_width=0.18", "linewidth": 0.8}
        arrow |= {"color": looks[end].color, "shrinkA": 2, "shrinkB": 2}
        ax.annotate("", xy=at[end], xytext=at[start], arrowprops=arrow, zorder=4)
    _axis(ax, "x", panel.x)
    _axis(ax, "y", panel.y)
    if panel.rows:
        ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")


def _label(levels: Mapping[str, float], rules: Sequence[str]) -> str:
    """Each rule with its level; those that read the same before it."""
    same: dict[str, list[str]] = {}
    for rule in rules:
        same.setdefault(f"{levels[rule]:.1f}", []).append(rule)
    return ", ".join(f"{', '.join(names)} {share}" for share, names in same.items())


def _series(ax: Axes, one: Series, panel: Panel, looks: Looks) -> None:
    if one.attention is None:
        ax.plot(one.x, one.y, color=GREY, linewidth=0.7, linestyle=":", zorder=1, label="_guide")
        return
    look = looks[one.attention]
    if one.area:
        face = (look.color, 0.3) if look.plain else "none"
        size = panel.diameter(one, LARGEST) ** 2
        edge = {"edgecolor": look.color, "linewidth": 0.8, "zorder": 2}
        ax.scatter(one.x, one.y, s=size, facecolor=face, gid=one.attention, **edge)
    thin = {"marker": "", "linewidth": 0.4, "alpha": 0.45} if one.thin else {}
    style = {
        "color": look.color,
        "marker": look.marker,
        "linestyle": look.line if one.joined else "none",
        "fillstyle": look.fill,
        "markevery": max(1, len(one.x) // 4) if one.joined else 1,
        "elinewidth": 0.6,
        "zorder": 3,
        "label": f"_{one.name}" if one.thin else one.name,
    }
    ax.errorbar(one.x, one.y, **{"xerr" if panel.rows else "yerr": one.bars}, **style | thin)


def _axis(ax: Axes, which: str, data: Axis) -> None:
    axis = {"x": ax.xaxis, "y": ax.yaxis}[which]
    ax.set(**{f"{which}label": data.title, f"{which}scale": "log" if data.log else "linear"})
    if data.range:
        ax.set(**{f"{which}lim": data.range})
    if data.ticks:
        values, texts = zip(*data.ticks, strict=True)
        axis.set_ticks(values, texts)
        axis.set_ticks([], minor=True)
    else:
        ax.locator_params(which, nbins=5, steps=[1, 2, 2.5, 5, 10])
        axis.set_major_formatter("{x:,.10g}")


def _legend(figure: Figure, ax: Axes, width: float) -> float:
    """Under the axes; its height in inches."""
    found: dict[str, Any] = {}  # the first of each name
    for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
        found.setdefault(name, handle)
    longest = max(map(len, found), default=1)
    columns = max(1, int((width * 72 - 10) / (0.55 * SIZE * longest + 40)))
    place = {"loc": "upper left", "bbox_to_anchor": (0, 0), "borderaxespad": 0}
    figure.legend(list(found.values()), list(found), ncols=columns, handlelength=3, **place)
    return figure.legends[0].get_window_extent().height / figure.dpi


def _filled(text: str, width: float) -> str:
    """In lines of at most so many inches, for letters of the width that is usual here."""
    return textwrap.fill(text, math.floor((width - 2 * MARGIN) * 72 / (0.5 * TITLE)))
