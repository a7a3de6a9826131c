"""What LRA's Pathfinder images are drawn with (Tay et al. 2021, after Linsley et al. 2018)."""

from dataclasses import dataclass
from typing import Any

from attention_zoo import UsageError

# Paddles in each of the two long contours, by the folder of the level.
LEVELS = {"curv_baseline": 6, "curv_contour_length_9": 9, "curv_contour_length_14": 14}


@dataclass(frozen=True)
class Drawing:
    """One set of images. Lengths and distances are in pixels, contours in paddles.

    padding: border that no contour enters.
    seed_distance: between the first tips of the two long contours; the first contour begins at
        twice this distance from every border.
    margins: a paddle keeps one of them free around itself, drawn anew for each image.
    continuity: a turn δ has the weight cos²(min(continuity · δ, π/2)).
    target_contrast, distractor_contrast: factors of a paddle's grey, before the image is
        stretched to 0…255.
    antialias: paddles and markers are drawn this many times larger, then shrunk.
    """

    resolution: int
    level: str
    contour_length: int
    distractor_length: int
    distractors: int
    padding: int
    seed_distance: int
    marker_radius: float
    paddle_length: int
    paddle_thickness: float
    margins: tuple[int, ...]
    continuity: float
    target_contrast: float
    distractor_contrast: float
    antialias: int = 2


_ROWS: dict[int, tuple[Any, ...]] = {  # from padding to distractor_contrast
    32: (1, 7, 1.5, 2, 0.5, (1,), 1.0, 2 * 0.75, 2.0),
    64: (1, 12, 2.5, 5, 1.0, (1,), 1.8, 0.8, 0.8),
    128: (1, 20, 3.0, 5, 1.5, (2, 3), 1.8, 0.9, 0.9),
    256: (22, 27, 5.0, 5, 2.0, (3,), 1.8, 1.0, 1.0),
}
_DISTRACTOR_PADDLES = {32: 20, 64: 22, 128: 35, 256: 30}  # of all an image's distractors together


def drawing(resolution: int, level: str) -> Drawing:
    """The parameters of LRA's set pathfinder<resolution>/<level>.

    LRA's description gives the number of distractors as paddles // distractor_length; the public
    wrapper works it out for the shortest level only. Drawn with the description's number, images
    have the statistics that are known of the sets, 73.3 % black pixels at 32 pixels with contours
    of 9 and 86.3 % at 128 with 14; the wrapper's would give 70.1 % and 79.7 %.

    Raises UsageError where LRA has no such set.
    """
    if resolution not in _ROWS or level not in LEVELS:
        raise UsageError(
            f"Pathfinder has no images of level {level!r} at {resolution} pixels; resolutions are "
            f"{', '.join(map(str, _ROWS))}, levels {', '.join(LEVELS)}"
        )
    paddles = LEVELS[level]
    distractors = _DISTRACTOR_PADDLES[resolution] // (paddles // 3)
    return Drawing(resolution, level, paddles, paddles // 3, distractors, *_ROWS[resolution])
