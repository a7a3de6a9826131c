"""Pathfinder images drawn here: the statistics of the public generator's, and what it promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from attention_zoo import UsageError
from lra.tasks.pathfinder.draw import _free_pixel, _uniform, draw_images, grey, picture
from lra.tasks.pathfinder.parameters import LEVELS, drawing
from lra.tasks.pathfinder.sprites import _dilated, add_marker, sprites

EASY, INTERMEDIATE, HARD = LEVELS

NAMES = ("black", "mean", "grey", "white", "markers", "distractors", "attempts")
# Means over images of the public generator, commit ab9c130, with their standard errors: % of pixels
# that are 0, grey level, % of pixels of 64 or more, and of 128 or more, pixels between the markers,
# distractors that found room, attempts at the two long contours.
PUBLIC = {
    (32, EASY, 600): [  # of 14,773 images
        (77.208, 0.028),
        (12.989, 0.015),
        (7.620, 0.008),
        (5.209, 0.006),
        (14.88, 0.03),
        (3.282, 0.012),
        (22.06, 0.18),
    ],
    (32, INTERMEDIATE, 400): [  # of 1,159 images
        (73.51, 0.11),
        (15.39, 0.06),
        (9.31, 0.03),
        (6.357, 0.024),
        (14.04, 0.14),
        (1.76, 0.03),
        (69.3, 2.1),
    ],
    (32, HARD, 400): [  # of 536 images
        (65.91, 0.17),
        (20.21, 0.09),
        (12.59, 0.06),
        (8.52, 0.04),
        (13.02, 0.22),
        (1.19, 0.04),
        (328, 14),
    ],
    (64, HARD, 16): [  # of 32 images
        (74.3, 0.5),
        (13.43, 0.21),
        (8.95, 0.14),
        (4.71, 0.11),
        (30.0, 1.5),
        (2.53, 0.16),
        (3954, 578),
    ],
    (128, HARD, 50): [  # of 99 images
        (86.24, 0.05),
        (7.920, 0.028),
        (4.114, 0.016),
        (3.046, 0.014),
        (78.1, 1.9),
        (7.76, 0.05),
        (285, 48),
    ],
    (256, HARD, 40): [  # of 60 images
        (96.125, 0.013),
        (2.946, 0.007),
        (1.454, 0.003),
        (1.116, 0.003),
        (126.8, 2.9),
        (6.983, 0.017),
        (7.6, 1.0),
    ],
}


def figures(resolution, level, count):
    """(count, 7) of the figures, one row an image."""
    rows = []
    for i in range(count):
        drawn = picture(drawing(resolution, level), 0, i)
        image = grey(drawing(resolution, level), drawn.layers)
        (a, b), (c, d) = drawn.markers
        shares = [100 * np.mean(x) for x in (image == 0, image >= 64, image >= 128)]
        between = np.hypot(a - c, b - d)
        rows.append(
            [shares[0], image.mean(), *shares[1:], between, len(drawn.distractors), drawn.attempts]
        )
    return np.array(rows)


@pytest.mark.parametrize(("resolution", "level", "count"), PUBLIC)
def test_images_have_the_statistics_of_the_public_generators(resolution, level, count):
    public, error = np.array(PUBLIC[resolution, level, count]).T
    ours = figures(resolution, level, count)
    error = np.hypot(error, ours.std(0) / count**0.5)
    off = np.abs(ours.mean(0) - public) / error
    assert (off < 4).all(), dict(zip(NAMES, off.round(1), strict=True))


def test_both_markers_are_at_ends_of_one_contour_exactly_for_label_1():
    labels = []
    for i in range(400):
        drawn = picture(drawing(32, EASY), 1, i)
        first, last = drawn.markers.tolist()
        starts, ends = drawn.paddles[:, 0, :2].tolist(), drawn.paddles[:, -1, :2].tolist()
        assert (starts.index(first) == ends.index(last)) == drawn.label
        labels.append(drawn.label)
        image = grey(drawing(32, EASY), drawn.layers)
        assert image.min() == 0 and image.max() == 255
        assert all(drawn.layers[2][tuple(marker)] == 255 for marker in (first, last))
    # A fair coin is outside these once in a million.
    assert abs(np.mean(labels) - 0.5) < 0.125


@given(st.integers(0, 10**6), st.lists(st.integers(0, 3), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_an_image_is_a_function_of_its_number_however_they_are_cut(first, counts):
    parameters = drawing(32, EASY)
    images, labels = draw_images(parameters, 5, first, sum(counts))
    assert images.shape == (sum(counts), 1024) and images.dtype == labels.dtype == np.uint8
    starts = first + np.cumsum([0, *counts[:-1]])
    parts = [
        draw_images(parameters, 5, int(start), n) for start, n in zip(starts, counts, strict=True)
    ]
    assert np.array_equal(images, np.concatenate([part[0] for part in parts]))
    assert np.array_equal(labels, np.concatenate([part[1] for part in parts]))


def alone(sprite, row, column, width):
    """One sprite on an image, by a plain slice of a canvas with room all around."""
    reach = len(sprite) // 2
    canvas = np.zeros((width + 2 * reach,) * 2, int)
    canvas[row : row + len(sprite), column : column + len(sprite)] = sprite
    return canvas[reach : reach + width, reach : reach + width]


@pytest.mark.parametrize("resolution", [32, 64, 128, 256])
def test_a_paddle_keeps_clear_of_those_before_it_but_its_neighbour(resolution):
    parameters = drawing(resolution, INTERMEDIATE)
    for i in range(2):
        drawn = picture(parameters, 2, i)
        s = sprites(parameters, drawn.margin)
        masks, lines = (
            [[alone(kind[o], y, x, resolution) for y, x, o, *_ in contour] for contour in drawn[1]]
            for kind in (s.mask, s.line)
        )
        for n in range(1, parameters.contour_length):
            here = masks[0][: n - 1] + masks[1][: n - 1]
            for before, paddle in ((here, masks[0][n]), ([*here, masks[0][n - 1]], masks[1][n])):
                # Grey levels of 0…255 that add up to less than 1.8.
                assert all((other + paddle).max() < 459 for other in before)
        assert np.array_equal(np.max(lines, axis=(0, 1)), drawn.layers[0])


@pytest.mark.parametrize("resolution", [32, 64, 128, 256])
def test_a_contour_goes_on_from_where_its_last_paddle_points(resolution):
    parameters = drawing(resolution, HARD if resolution != 64 else EASY)
    for i in range(5):
        drawn = picture(parameters, 3, i)
        s = sprites(parameters, drawn.margin)
        for contour in [*drawn.paddles, *drawn.distractors]:
            pivots, angle = contour[:, 3:], np.deg2rad(contour[0, 2] - 180)
            towards = np.array([np.sin(angle), np.cos(angle)])
            # From the tail to the head and back beyond it, rounded up both times.
            head = contour[0, :2] + np.ceil(s.length * towards - 1e-9)
            back = (s.length + s.margin) * towards
            assert pivots[0].tolist() == np.ceil(head - back - 1e-9).tolist()
            for n in range(1, len(contour)):
                step = pivots[n] - pivots[n - 1]
                along = (s.length + 2 * s.margin) * np.array([np.sin(angle), np.cos(angle)])
                assert ((-1e-9 <= step - along) & (step - along < 1)).all()
                y, x = contour[n, :2] - pivots[n]
                turn = np.angle(np.exp(1j * (np.arctan2(y, x) - angle)))
                assert abs(turn) * parameters.continuity < np.pi / 2
                angle = np.arctan2(y, x)
        (a, b), (c, d) = drawn.paddles[:, 0, :2]
        assert abs(np.hypot(a - c, b - d) - parameters.seed_distance) < 0.75
        inner = [2 * parameters.seed_distance - 1, resolution - 2 * parameters.seed_distance]
        assert inner[0] <= min(a, b) and max(a, b) <= inner[1]


def test_sprites_are_those_of_the_public_generator():
    s = sprites(drawing(32, HARD), 1)
    # Its levels at −180 degrees, commit ab9c130.
    assert s.line[0, 4].tolist() == [0, 0, 116, 135, 102, 0, 2, 0, 0]
    assert s.mask[0, 3].tolist() == s.mask[0, 5].tolist() == [0, 28, 186, 204, 173, 20, 2, 1, 0]
    assert s.mask[0, 4].tolist() == [3, 183, 255, 255, 255, 155, 0, 3, 0]
    # Orientations for which it finds pixels to begin at.
    assert np.flatnonzero(s.seatable).tolist() == list(range(180 - 150, 180 - 120))
    assert sprites(drawing(64, HARD), 1).seatable.sum() == 95
    assert sprites(drawing(128, HARD), 2).seatable.sum() == 354
    assert sprites(drawing(128, HARD), 3).seatable.all()


@pytest.mark.parametrize(("resolution", "margin"), [(32, 1), (64, 1), (128, 2), (128, 3), (256, 3)])
def test_paddles_point_along_their_orientation(resolution, margin):
    s = sprites(drawing(resolution, HARD), margin)
    places = np.arange(s.line.shape[1]) - s.line.shape[1] // 2
    weight = s.line.sum((1, 2))
    down = (s.line.sum(2) * places).sum(1) / weight
    right = (s.line.sum(1) * places).sum(1) / weight
    first = np.deg2rad(np.arange(-180, 180))
    # A later paddle's sprite goes from its far end back to the pivot.
    later = np.arctan2(*-s.candidates.T.astype(float))
    off = np.angle(np.exp(1j * (np.arctan2(down, right) - np.concatenate([first, later]))))
    assert np.abs(off).max() < np.deg2rad(25) and np.abs(off).mean() < np.deg2rad(8)


@given(st.integers(1, 30), st.integers(1, 30))
def test_a_marker_is_a_disc_drawn_twice_as_large_and_shrunk(row, column):
    layer = np.zeros((32, 32), np.uint8)
    add_marker(layer, drawing(32, HARD), row, column)
    y, x = np.ogrid[:64, :64]
    disc = 255 * ((y - 2 * row) ** 2 + (x - 2 * column) ** 2 <= 9).astype(np.uint8)
    plain = Image.fromarray(disc).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(layer, np.asarray(plain))


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_dilation_takes_the_greatest_in_a_disc(seed, radius):
    canvas = np.random.default_rng(seed).integers(0, 256, (1, 9, 9), np.uint8)
    dilated = _dilated(canvas, radius)
    y, x = np.mgrid[:9, :9]
    for row, column in ((0, 0), (4, 4), (8, 2)):
        near = (y - row) ** 2 + (x - column) ** 2 <= radius**2
        assert dilated[0, row, column] == canvas[0][near].max()


def test_a_contour_begins_at_any_free_pixel_with_the_same_probability():
    s, o = sprites(drawing(32, HARD), 1), 45
    seats = np.full((32, 32), 255, np.uint8)
    seats[8:12, 20:25] = 76  # the greatest level that is free
    seats[9, 22] = 77
    free = [
        32 * row + column
        for row in range(32)
        for column in range(32)
        if all(seats[row + y, column + x] < 77 for y, x in s.feet[o] if row + y < 32 > column + x)
    ]
    state = np.array([7], np.uint64)
    found = [_free_pixel(state, seats, s, o) for _ in range(4000)]
    pixels, counts = np.unique(found, return_counts=True)
    assert pixels.tolist() == free and 3 < len(free) < 20
    expected = 4000 / len(free)
    assert np.abs(counts - expected).max() < 5 * expected**0.5
    seats[:] = 77
    assert _free_pixel(state, seats, s, o) == -1


def test_the_stream_is_splitmix64():
    state = np.array([0], np.uint64)
    known = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)  # its first from seed 0
    assert [_uniform(state) for _ in known] == [(word >> 12) / 2**52 for word in known]


def test_other_seeds_levels_and_numbers_give_other_images():
    images = [
        draw_images(drawing(32, level), seed, first, 1)[0].tobytes()
        for level in (EASY, INTERMEDIATE)
        for seed in (0, 1)
        for first in (0, 1)
    ]
    assert len(set(images)) == 8


def test_distractors_are_as_many_as_lra_says():
    counts = {
        resolution: [drawing(resolution, level).distractors for level in LEVELS]
        for resolution in (32, 64, 128, 256)
    }
    assert counts == {32: [10, 6, 5], 64: [11, 7, 5], 128: [17, 11, 8], 256: [15, 10, 7]}


@pytest.mark.parametrize(("resolution", "level"), [(48, HARD), (32, "hard")])
def test_a_set_that_lra_does_not_have_is_refused(resolution, level):
    with pytest.raises(UsageError, match=f"no images of level '{level}' at {resolution} pixels"):
        drawing(resolution, level)
