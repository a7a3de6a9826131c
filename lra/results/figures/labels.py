"""Where texts stand beside marks in a matplotlib figure."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from lra.results.figures.chart import Panel
from lra.results.figures.palette import Looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

ANGLES = [math.radians(angle) for angle in (0, 180, 45, 135, 315, 225, 90, 270)]
DISTANCES = (2, 8, 16, 28)  # points, from a circle's edge
FAR = 16  # from where on a line leads from a text to its mark


def place_labels(ax: Axes, panel: Panel, looks: Looks, largest: float) -> None:
    """Each text beside its mark, at the nearest place where it covers least, on axes whose layout
    is final. largest: the diameter of the largest circle in points."""
    from matplotlib.transforms import Bbox

    pixel = ax.figure.dpi / 72
    radii = [panel.diameter(one, largest) / 2 for one in panel.series]
    taken = [
        Bbox([at - pixel * (radius + 1), at + pixel * (radius + 1)])
        for one, radius in zip(panel.series, radii, strict=True)
        for at in ax.transData.transform(list(zip(one.x, one.y, strict=True)))
    ]
    for one, radius in zip(panel.series, radii, strict=True):
        color = looks[one.attention].color if one.attention else "#6E6E6E"
        for x, y, text in zip(one.x, one.y, one.texts, strict=False):
            if not text:
                continue
            style = {"textcoords": "offset points", "ha": "center", "va": "center", "color": color}
            note = ax.annotate(text, (x, y), (0, 0), zorder=5, **style)
            distance = _place(note, radius, taken, ax)
            taken += [note.get_window_extent()] * 3  # worse to cover than a mark
            if distance >= FAR:
                line = {"arrowstyle": "-", "linewidth": 0.4, "color": color, "shrinkB": 0}
                ax.annotate("", (x, y), note.xyann, textcoords="offset points", arrowprops=line)


def _place(note: Annotation, radius: float, taken: list[Bbox], ax: Axes) -> float:
    """Moves a text to its best place; how far that is from the circle of this radius."""
    half = note.get_window_extent().size / 2 / (ax.figure.dpi / 72)

    def covers(place: tuple[float, float]) -> float:
        off, angle = radius + place[0], place[1]
        note.xyann = math.cos(angle) * (off + half[0]), math.sin(angle) * (off + half[1])
        box = note.get_window_extent()
        outside = box.x0 < ax.bbox.x0 or box.x1 > ax.figure.bbox.x1 or box.y0 < ax.bbox.y0
        return box.count_overlaps(taken) + 9 * outside

    best = min(itertools.product(DISTANCES, ANGLES), key=covers)
    covers(best)
    return best[0]
