"""Every paddle and marker that a Pathfinder image can hold, rendered once."""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import grey_dilation

from lra.tasks.pathfinder.parameters import Drawing

FULL = 255
COLLISION = 459  # the sum of two masks' grey levels that is 1.8
DEGREES = 360  # orientations of a contour's first paddle


class Sprites(NamedTuple):
    """What is drawn with one margin, for the kernel to read.

    A point is (row, column); an angle θ points along (sin θ, cos θ). Orientation o < 360 is that
    of a first paddle at o − 180 degrees; orientation 360 + c is that of a later paddle, from a
    pivot to the candidate c. Sprites are square, uint8, of an odd width, centred on the point that
    they are drawn at: a first paddle's tail, a later paddle's far end.

    line, mask: (orientations, s, s), a paddle, and what it keeps free around itself.
    wide: (orientations, s + 2·margin, s + 2·margin), `mask` dilated with a disc of the margin.
    sine, cosine: (orientations,) of each orientation.
    candidates: (candidates, 2), where a paddle may end, from its pivot.
    turns: (orientations, candidates), weight of the turn from an orientation to a candidate's.
    limit: like `mask`: the grey level of a mask above which it collides with this one.
    feet: (360, k, 2), the pixels that a first paddle needs free, from its tail; some repeat.
    seatable: (360,) bool, whether a contour may begin in this orientation.
    """

    line: np.ndarray
    mask: np.ndarray
    wide: np.ndarray
    limit: np.ndarray
    sine: np.ndarray
    cosine: np.ndarray
    candidates: np.ndarray
    turns: np.ndarray
    feet: np.ndarray
    seatable: np.ndarray
    margin: int
    length: int
    seed_distance: int


@cache
def sprites(drawing: Drawing, margin: int) -> Sprites:
    """The sprites of `drawing` for one of its margins."""
    length = drawing.paddle_length
    candidates = _circle(length + margin)
    degrees = np.arange(DEGREES) - DEGREES // 2
    angles = np.concatenate([degrees * np.pi / 180, np.arctan2(*candidates.T.astype(float))])
    # A later paddle is drawn from its far end back to the pivot.
    flipped = angles + np.where(angles < 0, np.pi, -np.pi)
    drawn = np.concatenate([angles[:DEGREES], flipped[DEGREES:]])
    reach = length + math.ceil(drawing.paddle_thickness) + margin
    canvases = np.stack([_paddle(drawing, reach, angle) for angle in drawn])
    line = _shrunk(canvases, reach)
    mask = _shrunk(_dilated(canvases, margin * drawing.antialias), reach)
    feet = _feet(mask[:DEGREES], length + margin)
    return Sprites(
        line=line,
        mask=mask,
        wide=_dilated(np.pad(mask, ((0, 0), (margin, margin), (margin, margin))), margin),
        limit=np.minimum(COLLISION - 1 - mask.astype(np.int64), FULL).astype(np.uint8),
        sine=np.sin(angles),
        cosine=np.cos(angles),
        candidates=candidates,
        turns=_turns(angles, drawing.continuity),
        feet=feet,
        seatable=_seatable(feet),
        margin=margin,
        length=length,
        seed_distance=drawing.seed_distance,
    )


def _circle(radius: int) -> np.ndarray:
    """The distinct pixels, at one pixel of arc from each other, of a circle around a pixel."""
    angles = np.arange(0, 360, 360 / (2 * np.pi * radius)) * np.pi / 180
    points = np.stack([np.sin(angles), np.cos(angles)], 1) * radius
    return np.unique(np.floor(points).astype(np.int64), axis=0)


def _turns(angles: np.ndarray, continuity: float) -> np.ndarray:
    turn = np.abs(angles[:, None] - angles[DEGREES:])
    turn = np.minimum(turn, 2 * np.pi - turn)
    return np.cos(np.minimum(turn * continuity, np.pi / 2)) ** 2


def _paddle(drawing: Drawing, reach: int, angle: float) -> np.ndarray:
    """A paddle from the centre of its canvas along `angle`, antialias times its size."""
    scale = drawing.antialias
    centre = reach * scale
    row = math.ceil(centre + drawing.paddle_length * scale * math.sin(angle))
    column = math.ceil(centre + drawing.paddle_length * scale * math.cos(angle))
    canvas = Image.new("L", (2 * centre + 1, 2 * centre + 1))
    width = round(drawing.paddle_thickness * scale)
    ImageDraw.Draw(canvas).line([(centre, centre), (column, row)], fill=FULL, width=width)
    return np.asarray(canvas)


def add_marker(layer: np.ndarray, drawing: Drawing, row: int, column: int) -> None:
    """Merges a disc around a pixel into a (W, W) uint8 layer with max, clipped at the borders."""
    scale = drawing.antialias
    reach = math.ceil(drawing.marker_radius) + 4  # with the ripples of the Lanczos filter
    window = tuple(
        slice(max(x - reach, 0), min(x + reach + 1, drawing.resolution)) for x in (row, column)
    )
    rows, columns = (
        (np.arange(part.start * scale, part.stop * scale) - x * scale) ** 2
        for part, x in zip(window, (row, column), strict=True)
    )
    disc = np.add.outer(rows, columns) <= (drawing.marker_radius * scale) ** 2
    part = layer[window]
    np.maximum(part, _resized(np.uint8(FULL) * disc, part.shape), out=part)


def _shrunk(canvases: np.ndarray, reach: int) -> np.ndarray:
    """Canvases of any size as (n, 2·reach + 1, 2·reach + 1)."""
    return np.stack([_resized(canvas, 2 * (2 * reach + 1,)) for canvas in canvases])


def _resized(canvas: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    lanczos = Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(canvas).resize(shape[::-1], lanczos))


def _dilated(canvases: np.ndarray, radius: int) -> np.ndarray:
    """The greatest value in a disc around each pixel of (n, s, s)."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc = (y**2 + x**2 <= radius**2)[None]
    return grey_dilation(canvases, footprint=disc, mode="constant")


def _feet(masks: np.ndarray, limit: int) -> np.ndarray:
    """Offsets of the pixels that each mask covers fully, one to the lower right as upstream has
    them, repeated until all masks have as many."""
    centre = masks.shape[1] // 2
    rows = []
    for mask in masks:
        offsets = np.argwhere(mask == FULL) - centre + 1
        rows.append(offsets[(np.abs(offsets) <= limit).all(1)])
    most = max(map(len, rows))
    return np.stack([np.resize(offsets, (most, 2)) for offsets in rows])


def _seatable(feet: np.ndarray) -> np.ndarray:
    """Whether some of the feet are inside the image wherever the tail is, in a corner too.

    Upstream finds no free pixel at all for another orientation: where every foot is outside, its
    dilation has the value −∞, which it takes for a sign of failure. At 32 pixels that leaves the
    orientations from −150 to −121 degrees, one in twelve; at 128 and 256 nearly all.
    """
    quadrants = [
        (feet * signs >= 0).all(2).any(1) for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    return np.logical_and.reduce(quadrants)
