"""Every paddle and marker that a Pathfinder image can hold, rendered once."""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from lra.tasks.pathfinder.parameters import Drawing

FULL = 255
COLLISION = 459  # where two masks' grey levels add up to 1.8 or more
DEGREES = 360  # orientations of a contour's first paddle


class Sprites(NamedTuple):
    """What is drawn with one margin, for the kernel to read.

    A point is (row, column); an angle θ points along (sin θ, cos θ). Orientation o < 360 is that
    of a first paddle at o − 180 degrees; orientation 360 + c is that of a later paddle, from a
    pivot to the candidate c. Sprites are square, uint8, of an odd width, centred on the point that
    they are drawn at: a first paddle's tail, a later paddle's far end.

    line, mask: (orientations, s, s), a paddle, and what it keeps free around itself.
    wide: (orientations, s + 2·margin, s + 2·margin), `mask` dilated with a disc of the margin.
    marker: (m, m).
    sine, cosine: (orientations,) of each orientation.
    candidates: (candidates, 2), where a paddle may end, from its pivot.
    turns: (orientations, candidates), weight of the turn from an orientation to a candidate's.
    feet: (360, k, 2), the pixels that a first paddle needs free, from its tail; some repeat.
    """

    line: np.ndarray
    mask: np.ndarray
    wide: np.ndarray
    limit: np.ndarray
    marker: np.ndarray
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
        limit=np.minimum(COLLISION - 1 - mask.astype(np.int64), 255).astype(np.uint8),
        marker=_marker(drawing),
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
    ImageDraw.Draw(canvas).line([(centre, centre), (column, row)], fill=255, width=width)
    return np.asarray(canvas)


def _marker(drawing: Drawing) -> np.ndarray:
    """A disc, with room for the ripples that the Lanczos filter leaves around it."""
    scale = drawing.antialias
    reach = math.ceil(drawing.marker_radius) + 4
    distance = np.arange((2 * reach + 1) * scale) - reach * scale
    inside = np.add.outer(distance**2, distance**2) <= (drawing.marker_radius * scale) ** 2
    return _shrunk(np.uint8(FULL) * inside[None], reach)


def _shrunk(canvases: np.ndarray, reach: int) -> np.ndarray:
    """Canvases of any size as (n, 2·reach + 1, 2·reach + 1)."""
    size = 2 * (2 * reach + 1,)
    lanczos = Image.Resampling.LANCZOS
    return np.stack([np.asarray(Image.fromarray(x).resize(size, lanczos)) for x in canvases])


def _dilated(canvases: np.ndarray, radius: int) -> np.ndarray:
    """The greatest value in a disc around each pixel of (n, s, s)."""
    size = canvases.shape[1]
    bordered = np.pad(canvases, ((0, 0), (radius, radius), (radius, radius)))
    dilated = canvases.copy()
    for row in range(-radius, radius + 1):
        for column in range(-radius, radius + 1):
            if row**2 + column**2 <= radius**2:
                top, left = radius + row, radius + column
                shifted = bordered[:, top : top + size, left : left + size]
                np.maximum(dilated, shifted, out=dilated)
    return dilated


def _feet(masks: np.ndarray, limit: int) -> np.ndarray:
    """Offsets of the pixels that each mask covers fully, one to the lower right as upstream has
    them, repeated until all masks have as many."""
    centre = masks.shape[1] // 2
    rows = []
    for mask in masks:
        offsets = np.argwhere(mask == 255) - centre + 1
        rows.append(offsets[(np.abs(offsets) <= limit).all(1)])
    most = max(map(len, rows))
    return np.stack([np.resize(offsets, (most, 2)) for offsets in rows])


def _seatable(feet: np.ndarray) -> np.ndarray:
    quadrants = [
        (feet * signs >= 0).all(2).any(1) for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    return np.logical_and.reduce(quadrants)
