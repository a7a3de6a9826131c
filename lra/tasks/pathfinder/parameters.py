"""What LRA's Pathfinder images are drawn with (Tay et al. 2021, after Linsley et al. 2018)."""

from dataclasses import dataclass

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


_BY_RESOLUTION = {
    32: dict(
        padding=1,
        seed_distance=7,
        marker_radius=1.5,
        paddle_length=2,
        paddle_thickness=0.5,
        margins=(1,),
        continuity=1.0,
        target_contrast=0.75 * 2,
        distractor_contrast=2.0,
    ),
    64: dict(
        padding=1,
        seed_distance=12,
        marker_radius=2.5,
        paddle_length=5,
        paddle_thickness=1.0,
        margins=(1,),
        continuity=1.8,
        target_contrast=0.8,
        distractor_contrast=0.8,
    ),
    128: dict(
        padding=1,
        seed_distance=20,
        marker_radius=3.0,
        paddle_length=5,
        paddle_thickness=1.5,
        margins=(2, 3),
        continuity=1.8,
        target_contrast=0.9,
        distractor_contrast=0.9,
    ),
    256: dict(
        padding=22,
        seed_distance=27,
        marker_radius=5.0,
        paddle_length=5,
        paddle_thickness=2.0,
        margins=(3,),
        continuity=1.8,
        target_contrast=1.0,
        distractor_contrast=1.0,
    ),
}
_DISTRACTOR_PADDLES = {32: 20, 64: 22, 128: 35, 256: 30}  # in all distractors of an image


def drawing(resolution: int, level: str) -> Drawing:
    """The parameters of LRA's set pathfinder<resolution>/<level>.

    Raises UsageError where LRA has no such set.
    """
    if resolution not in _BY_RESOLUTION or level not in LEVELS:
        raise UsageError(
            f"Pathfinder has no set {level!r} at {resolution} pixels; resolutions are "
            f"{', '.join(map(str, _BY_RESOLUTION))} and levels {', '.join(LEVELS)}"
        )
    distractor_length = LEVELS[level] // 3
    return Drawing(
        resolution=resolution,
        level=level,
        contour_length=LEVELS[level],
        distractor_length=distractor_length,
        distractors=_DISTRACTOR_PADDLES[resolution] // distractor_length,
        **_BY_RESOLUTION[resolution],
    )
