"""Where labels stand beside crowded circles. All lengths in points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ANGLES = np.deg2rad([0, 180, 45, 135, 315, 225, 90, 270, 20, 160, 340, 200, 65, 115, 295, 245])
DISTANCES = np.array([2, 6, 12, 20, 30, 42, 56, 72])  # from a circle's edge to its label's box
SWEEPS = 6


@dataclass(frozen=True)
class Circle:
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Box:
    """x, y: its centre."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Segment:
    x1: float
    y1: float
    x2: float
    y2: float


def place(
    circles: Sequence[Circle],
    sizes: Sequence[tuple[float, float] | None],
    segments: Sequence[Segment],
    taken: Sequence[Box],
    room: tuple[float, float],
) -> list[Box | None]:
    """A box for each circle whose label has a size, inside the room (width, height).

    Each label in turn takes the place that costs least, given the others: places on labels, on
    `taken` boxes, circles or segments cost more than those farther off. Always the same for the
    same input.
    """
    chosen: list[Box | None] = [None] * len(circles)
    marks = _samples(segments)
    places: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for i, (circle, size) in enumerate(zip(circles, sizes, strict=True)):
        if size is not None:
            options, costs = _options(circle, *size)
            places[i] = options, costs + _fixed_cost(options, size, circles, taken, marks, room)
    # Those with neighbours choose last in each sweep, among what the others leave.
    order = sorted(places, key=lambda i: sum(_gap(circles[i], other) < 30 for other in circles))
    for _ in range(SWEEPS):
        before = list(chosen)
        for i in order:
            options, costs = places[i]
            others = [box for j, box in enumerate(chosen) if box is not None and j != i]
            best = int(np.argmin(costs + 3 * _overlaps(options, sizes[i], others)))
            chosen[i] = Box(*map(float, options[best]), *sizes[i])
        if chosen == before:
            break
    return chosen


def _options(circle: Circle, width: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres of boxes round a circle, (n, 2), and their distance from it; of two that cost the
    same the one whose angle is named first."""
    angle, distance = (grid.ravel() for grid in np.meshgrid(ANGLES, DISTANCES))
    off = circle.radius + distance
    x = circle.x + np.cos(angle) * (off + width / 2)
    y = circle.y + np.sin(angle) * (off + height / 2)
    rank = np.tile(np.arange(len(ANGLES)), len(DISTANCES))
    return np.stack([x, y], 1), distance + 0.02 * rank


def _fixed_cost(
    options: np.ndarray,
    size: tuple[float, float],
    circles: Sequence[Circle],
    taken: Sequence[Box],
    marks: np.ndarray,
    room: tuple[float, float],
) -> np.ndarray:
    """What does not depend on the other labels."""
    half = np.array(size) / 2
    outside = np.maximum(half - options, 0) + np.maximum(options + half - np.array(room), 0)
    centers = np.array([(circle.x, circle.y) for circle in circles])
    radii = np.array([circle.radius for circle in circles])
    apart = np.maximum(abs(options[:, None] - centers) - half, 0)
    depth = np.maximum(radii + 1 - np.hypot(apart[..., 0], apart[..., 1]), 0)
    on_marks = (abs(options[:, None] - marks) < half + 1).all(2).sum(1)
    return (
        100 * outside.sum(1)
        + 3 * _overlaps(options, size, taken)
        + 0.7 * size[1] * depth.sum(1)
        + 2 * on_marks
    )


def _overlaps(options: np.ndarray, size: tuple[float, float], boxes: Sequence[Box]) -> np.ndarray:
    """Square points that each place shares with the boxes."""
    if not boxes:
        return np.zeros(len(options))
    centers = np.array([(box.x, box.y) for box in boxes])
    sides = np.array([(box.width, box.height) for box in boxes])
    shared = (sides + np.array(size)) / 2 - abs(options[:, None] - centers)
    return np.maximum(shared, 0).prod(2).sum(1)


def _gap(a: Circle, b: Circle) -> float:
    return float(np.hypot(a.x - b.x, a.y - b.y)) - a.radius - b.radius


def _samples(segments: Sequence[Segment]) -> np.ndarray:
    """Points along the segments, 2 apart."""
    points = [np.empty((0, 2))]
    for s in segments:
        count = 2 + int(np.hypot(s.x2 - s.x1, s.y2 - s.y1) / 2)
        points.append(np.linspace((s.x1, s.y1), (s.x2, s.y2), count))
    return np.concatenate(points)
