"""Pathfinder images, drawn one paddle after the other (Linsley et al. 2018)."""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from lra.seeds import derive
from lra.tasks.pathfinder.parameters import Drawing
from lra.tasks.pathfinder.sprites import DEGREES, FULL, Sprites, add_marker, sprites

PADDLE_DRAWS, DISTRACTOR_TRIES, ENDLESS = 3, 5, 2**62
GUESSES = 50  # at a free pixel, before all are looked at
OCCUPIED = 77  # the least grey level of a mask above 0.3
DEAD_END = 1e-4  # sum of the weights of all candidates
FREE_SHARE = 0.01  # of the pixels: with fewer, no distractor is tried
Array = np.ndarray
ROW, COLUMN, ORIENTATION, PIVOT_ROW, PIVOT_COLUMN = range(5)
MASK, WIDE = range(2)  # planes of a space: what is occupied; the same, dilated by the margin
LONG, SHORT, MARKERS = range(3)  # layers
GAMMA, MIX_1, MIX_2 = map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
S12, S27, S30, S31 = map(np.uint64, (12, 27, 30, 31))


class Picture(NamedTuple):
    """One image before its parts are merged.

    layers: (3, W, W) uint8 coverage by the two long contours, by distractors and by markers.
    paddles: (2, contour_length, 5) int64, of each long contour: row, column, orientation (an index
        of `Sprites`), and row and column of the pivot that the paddle was turned around.
    markers: (2, 2), row and column of each.
    margin: the one drawn for this image.
    label: 1 where both markers are on the same contour.
    attempts: at the two long contours.
    distractors: (n, distractor_length, 5), like `paddles`, those that found room.
    """

    layers: Array
    paddles: Array
    markers: Array
    margin: int
    label: int
    attempts: int
    distractors: Array


def draw_images(drawing: Drawing, seed: int, first: int, count: int) -> tuple[Array, Array]:
    """Images first … first + count − 1 of those that `seed` names, and their labels.

    Returns (count, resolution²) uint8 grey levels, row-major, each image stretched to 0…255, and
    (count,) uint8 labels: 1 where both markers are on the same contour, a fair coin. An image is a
    function of (seed, drawing, its number).
    """
    images = np.empty((count, drawing.resolution**2), np.uint8)
    labels = np.empty(count, np.uint8)
    for i in range(count):
        drawn = picture(drawing, seed, first + i)
        images[i] = grey(drawing, drawn.layers).ravel()
        labels[i] = drawn.label
    return images, labels


def picture(drawing: Drawing, seed: int, number: int) -> Picture:
    """The parts of one image."""
    start = derive(seed, "pathfinder", drawing.resolution, drawing.level, number)
    state = np.array([start], np.uint64)
    label = int(2 * _uniform(state))
    s = sprites(drawing, drawing.margins[int(len(drawing.margins) * _uniform(state))])
    centre = _bordered(drawing, 2 * drawing.seed_distance)
    space = np.stack([_bordered(drawing, drawing.padding + width) for width in (0, s.margin)])
    tried = np.empty_like(space)
    paddles = np.empty((2, drawing.contour_length, 5), np.int64)
    attempts = _contours(state, s, centre, space, tried, paddles, ENDLESS)
    space, tried = tried, space
    distractors = np.empty((drawing.distractors, 1, drawing.distractor_length, 5), np.int64)
    found = 0
    for _ in range(drawing.distractors):
        if (space[MASK] < OCCUPIED).mean() < FREE_SHARE:
            break
        if _contours(state, s, space[MASK], space, tried, distractors[found], DISTRACTOR_TRIES):
            space, tried = tried, space
            found += 1
    origin = int(2 * _uniform(state))
    ends = (paddles[origin, 0], paddles[origin if label else 1 - origin, -1])
    markers = np.array([end[[ROW, COLUMN]] for end in ends])
    layers = np.zeros((3, drawing.resolution, drawing.resolution), np.uint8)
    _paint(layers, LONG, s.line, paddles)
    _paint(layers, SHORT, s.line, distractors[:found, 0])
    for row, column in markers.tolist():
        add_marker(layers[MARKERS], drawing, row, column)
    return Picture(layers, paddles, markers, s.margin, label, attempts, distractors[:found, 0])


def grey(drawing: Drawing, layers: Array) -> Array:
    """(W, W) uint8: the layers with their contrasts, merged with max, stretched to 0…255."""
    # Paddles pass through single precision upstream, which decides how halves are rounded.
    coverage = np.arange(FULL + 1) / FULL
    target = (coverage * drawing.target_contrast).astype(np.float32)
    distractor = (coverage * drawing.distractor_contrast).astype(np.float32)
    light = np.maximum(target[layers[LONG]], distractor[layers[SHORT]])
    light = np.maximum(light, coverage[layers[MARKERS]])
    low, high = light.min(), light.max()
    return ((light - low) * (FULL / (high - low)) + 0.5).astype(np.uint8)


@cache
def _bordered(drawing: Drawing, width: int) -> Array:
    inner = np.zeros(2 * (drawing.resolution - 2 * width,), np.uint8)
    return np.pad(inner, width, constant_values=FULL)


# Compiled anew in each process: numba's cache on disk fails where no folder can be written to, and
# keeps code whose constants come from another file that has changed since. Planes of an array go by
# their number: a view costs more than most of these functions.


@njit
def _uniform(state: Array) -> float:
    """The next float in [0, 1) of splitmix64 (Steele, Lea and Flood 2014), of 52 bits: its product
    with a number, rounded, is less than that number."""
    state[0] += GAMMA
    z = state[0]
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return ((z ^ (z >> S31)) >> S12) * 2.0**-52


@njit
def _stamp(canvas: Array, plane: int, sprites: Array, contours: Array, i: int, n: int) -> None:
    """Merges paddle n of contour i into a plane with max, clipped at the borders."""
    o, row, column = contours[i, n, ORIENTATION], contours[i, n, ROW], contours[i, n, COLUMN]
    size = sprites.shape[1]
    top, left = row - size // 2, column - size // 2
    for r in range(max(-top, 0), min(canvas.shape[1] - top, size)):
        for c in range(max(-left, 0), min(canvas.shape[2] - left, size)):
            # Unsigned, an index needs no test for a negative one.
            y, x = np.uintp(top + r), np.uintp(left + c)
            ink = sprites[o, np.uintp(r), np.uintp(c)]
            canvas[plane, y, x] = max(canvas[plane, y, x], ink)


@njit
def _collides(space: Array, limit: Array, o: int, row: int, column: int) -> bool:
    size = limit.shape[1]
    top, left = row - size // 2, column - size // 2
    for r in range(max(-top, 0), min(space.shape[1] - top, size)):
        collides = False
        for c in range(max(-left, 0), min(space.shape[2] - left, size)):
            occupied = space[MASK, np.uintp(top + r), np.uintp(left + c)]
            collides |= occupied > limit[o, np.uintp(r), np.uintp(c)]
        if collides:
            return True
    return False


@njit
def _paint(layers: Array, layer: int, sprites: Array, contours: Array) -> None:
    for i in range(contours.shape[0]):
        for n in range(contours.shape[1]):
            _stamp(layers, layer, sprites, contours, i, n)


@njit
def _inside(width: int, row: int, column: int) -> bool:
    return 0 <= row < width and 0 <= column < width


@njit
def _free(seats: Array, s: Sprites, o: int, row: int, column: int) -> bool:
    """Whether a first paddle with its tail here needs no occupied pixel."""
    for k in range(s.feet.shape[1]):
        r, c = row + s.feet[o, k, 0], column + s.feet[o, k, 1]
        if _inside(seats.shape[0], r, c) and seats[r, c] >= OCCUPIED:
            return False
    return True


@njit
def _free_pixel(state: Array, seats: Array, s: Sprites, o: int) -> int:
    """The flat index of one of the free pixels, all alike probable; −1 where there are none."""
    width = seats.shape[0]
    for _ in range(GUESSES):
        pixel = int(width * width * _uniform(state))
        if _free(seats, s, o, pixel // width, pixel % width):
            return pixel
    chosen, n = -1, 0
    for pixel in range(width * width):
        if _free(seats, s, o, pixel // width, pixel % width):
            n += 1
            if n * _uniform(state) < 1:
                chosen = pixel
    return chosen


@njit
def _begin(state: Array, s: Sprites, seats: Array, contours: Array, i: int) -> bool:
    """Places contour i's first paddle: the first contour's on a free pixel, the second's at the
    seed distance from it, whatever is there."""
    width = seats.shape[0]
    for _ in range(PADDLE_DRAWS):
        o = int(DEGREES * _uniform(state))
        if i == 0:
            pixel = _free_pixel(state, seats, s, o) if s.seatable[o] else -1
            if pixel < 0:
                return False
            row, column = pixel // width, pixel % width
        else:
            towards = int(DEGREES * _uniform(state))
            row = int(np.rint(contours[0, 0, ROW] + s.seed_distance * s.sine[towards]))
            column = int(np.rint(contours[0, 0, COLUMN] + s.seed_distance * s.cosine[towards]))
        head_row = math.ceil(row + s.length * s.sine[o])
        head_column = math.ceil(column + s.length * s.cosine[o])
        back = s.length + s.margin
        pivot_row = math.ceil(head_row - back * s.sine[o])
        pivot_column = math.ceil(head_column - back * s.cosine[o])
        if _inside(width, head_row, head_column) and _inside(width, pivot_row, pivot_column):
            for j, value in enumerate((row, column, o, pivot_row, pivot_column)):
                contours[i, 0, j] = value
            return True
    return False


@njit
def _weigh(
    s: Sprites, space: Array, last: int, pivot_row: int, pivot_column: int, limit: float
) -> tuple[int, float]:
    """The first candidate with which the sum of the weights passes `limit`, and that sum; where
    none does, −1 and the sum of all."""
    total = 0.0
    for k in range(s.candidates.shape[0]):
        row, column = pivot_row + s.candidates[k, 0], pivot_column + s.candidates[k, 1]
        if _inside(space.shape[1], row, column):
            total += s.turns[last, k] * (FULL - space[WIDE, row, column]) / FULL
            if total > limit:
                return k, total
    return -1, total


@njit
def _occupy(s: Sprites, space: Array, contours: Array, i: int, n: int) -> None:
    _stamp(space, MASK, s.mask, contours, i, n)
    _stamp(space, WIDE, s.wide, contours, i, n)


@njit
def _extend(state: Array, s: Sprites, space: Array, contours: Array, i: int, n: int) -> bool:
    """Places paddle n of contour i, then occupies what paddle n − 1 covers: the two may touch."""
    last = contours[i, n - 1, ORIENTATION]
    step = s.length + 2 * s.margin
    pivot_row = math.ceil(contours[i, n - 1, PIVOT_ROW] + step * s.sine[last])
    pivot_column = math.ceil(contours[i, n - 1, PIVOT_COLUMN] + step * s.cosine[last])
    _, total = _weigh(s, space, last, pivot_row, pivot_column, np.inf)
    if total < DEAD_END:
        return False
    for _ in range(PADDLE_DRAWS):
        k, _ = _weigh(s, space, last, pivot_row, pivot_column, _uniform(state) * total)
        row, column = pivot_row + s.candidates[k, 0], pivot_column + s.candidates[k, 1]
        if not _collides(space, s.limit, DEGREES + k, row, column):
            for j, value in enumerate((row, column, DEGREES + k, pivot_row, pivot_column)):
                contours[i, n, j] = value
            _occupy(s, space, contours, i, n - 1)
            return True
    return False


@njit
def _try(
    state: Array, s: Sprites, seats: Array, space: Array, grown: Array, contours: Array
) -> bool:
    for i in range(contours.shape[0]):
        if not _begin(state, s, seats, contours, i):
            return False
    for plane in range(space.shape[0]):
        for r in range(space.shape[1]):
            for c in range(space.shape[2]):
                grown[plane, r, c] = space[plane, r, c]
    for n in range(1, contours.shape[1]):
        for i in range(contours.shape[0]):
            if not _extend(state, s, grown, contours, i, n):
                return False
    # With two contours the first one's last paddle stays unoccupied, as it does upstream.
    _occupy(s, grown, contours, contours.shape[0] - 1, contours.shape[1] - 1)
    return True


@njit
def _contours(
    state: Array, s: Sprites, seats: Array, space: Array, grown: Array, contours: Array, tries: int
) -> int:
    """Draws contours (n, paddles, 5), extended in turn, in the free part of a space.

    The first begins where `seats` is free. `grown` becomes the space with them. Returns how many
    tries it took, 0 where none succeeded.
    """
    for attempt in range(1, tries + 1):
        if _try(state, s, seats, space, grown, contours):
            return attempt
    return 0
