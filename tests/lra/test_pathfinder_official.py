"""Pathfinder's own files: read as they are, every line and every image checked."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from attention_zoo import UsageError
from lra.tasks.pathfinder.official import batches, find, read_batch, read_image

HARD, EASY = "curv_contour_length_14", "curv_baseline"


def png(rows, depth=8, colour=0, width=None):
    """A PNG file made by hand."""

    def piece(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width or len(rows[0]), len(rows), depth, colour, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    pieces = piece(b"IHDR", header) + piece(b"IDAT", content) + piece(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


def drawn(seed, resolution=32):
    pixels = np.random.default_rng(seed).integers(0, 256, (resolution, resolution), np.uint8)
    return pixels * (pixels > 150)


def fields(number, i, label):
    return f"imgs/{number} sample_{i}.png {i} {label} 1.0 14 4 2 0.5 1 1".split()


def write_level(folder, resolution=32, sizes=(4, 3), form="text"):
    """Batches of images that `drawn` makes and of labels 0, 1, 0, 1…"""
    (folder / "metadata").mkdir(parents=True)
    for number, size in enumerate(sizes):
        rows = [fields(number, i, i % 2) for i in range(size)]
        write_metadata(folder / "metadata" / f"{number}.npy", rows, form)
        (folder / "imgs" / str(number)).mkdir(parents=True)
        for i in range(size):
            image = folder / "imgs" / str(number) / f"sample_{i}.png"
            image.write_bytes(png(drawn(100 * number + i, resolution)))
    return folder


def write_metadata(file, rows, form="text"):
    if form == "text":
        file.write_text(text(*rows))
    else:
        file.write_bytes(saved(np.array(rows, dtype=form)))


def text(*rows):
    return "".join(" ".join(row) + "\n" for row in rows)


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.fixture
def level(tmp_path):
    return write_level(tmp_path / f"pathfinder32/{HARD}")


def line(level, number=1):
    """What reading a batch is refused with."""
    with pytest.raises(UsageError) as caught:
        read_batch(level, level / "metadata" / f"{number}.npy", 32)
    assert "\n" not in str(caught.value) and str(level) in str(caught.value)
    return str(caught.value).removeprefix(f"{level}{os.sep}")


@pytest.mark.parametrize("form", ["text", "U", "S"])
@pytest.mark.parametrize("resolution", [32, 64])
def test_the_images_are_the_pixels_of_the_files(tmp_path, resolution, form):
    level = write_level(tmp_path / HARD, resolution, form=form)
    for number, size in enumerate((4, 3)):
        file = level / "metadata" / f"{number}.npy"
        images, labels, left_out = read_batch(level, file, resolution)
        assert images.shape == (size, resolution**2) and images.dtype == labels.dtype == np.uint8
        assert labels.tolist() == [0, 1, 0, 1][:size] and left_out == []
        for i, image in enumerate(images):
            assert np.array_equal(image, drawn(100 * number + i, resolution).ravel())


def test_text_may_end_its_lines_in_any_way(level):
    file = level / "metadata" / "1.npy"
    lines = file.read_bytes()
    for other in (lines[:-1], lines.replace(b"\n", b"\r\n"), lines.replace(b"\n", b" \n")):
        file.write_bytes(other)
        assert read_batch(level, file, 32)[1].tolist() == [0, 1, 0]


def test_files_of_pillow_are_read(level):
    stream = io.BytesIO()
    Image.fromarray(drawn(7)).save(stream, "PNG", optimize=True)
    (level / "imgs/1/sample_1.png").write_bytes(stream.getvalue())
    assert np.array_equal(read_image(level / "imgs/1/sample_1.png", 32), drawn(7))


def test_batches_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("10.npy", "2.npy", "0.npy", "100.npy", ".DS_Store", "._2.npy"):
        (tmp_path / name).touch()
    assert [file.name for file in batches(tmp_path)] == ["0.npy", "2.npy", "10.npy", "100.npy"]


@pytest.mark.parametrize(
    "name", ["a.npy", "1.npy.gz", "01.npy", "-1.npy", "1.NPY", "٣.npy", "5.npy/"]
)
def test_another_name_among_the_batches_is_refused(tmp_path, name):
    (tmp_path / "1.npy").touch()
    (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f"{name.strip('/')}: expected only files named <n>.npy"):
        batches(tmp_path)


def test_no_batches_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"expected files named <n>\.npy, found none"):
        batches(tmp_path)


def places(root, data_dir, *found):
    for place in found:
        write_level(root / place / "pathfinder128" / HARD, sizes=())
        (root / place / "pathfinder128" / HARD / "imgs").mkdir()
    return find(root / data_dir, 128, HARD)


INNER, OUTER = "lra_release/lra_release", "lra_release"


@pytest.mark.parametrize(
    ("data_dir", "there", "read"),
    [
        (".", ["."], "."),
        (".", [INNER], INNER),
        (".", [INNER, OUTER, "."], INNER),
        (".", [OUTER, "."], "."),
        (OUTER, [INNER, OUTER], INNER),
        (INNER, [INNER, OUTER], INNER),
        (OUTER, [OUTER], OUTER),  # named by the user, with no inner folder: only one is there
    ],
)
def test_the_inner_copy_is_the_one_that_is_read(tmp_path, data_dir, there, read):
    level = tmp_path / read / "pathfinder128" / HARD
    folders = {"metadata": level / "metadata", "imgs": level / "imgs"}
    assert places(tmp_path, data_dir, *there) == folders
    assert find(tmp_path / data_dir, 64, HARD) == find(tmp_path / data_dir, 128, EASY) == {}


@pytest.mark.parametrize("data_dir", [".", OUTER])
def test_the_outer_copy_alone_is_refused(tmp_path, data_dir):
    (tmp_path / INNER).mkdir(parents=True)
    with pytest.raises(UsageError, match="outer copy, which is suspected") as caught:
        places(tmp_path, data_dir, OUTER)
    assert str(caught.value).endswith(f"{INNER}/pathfinder128/{HARD}")


@pytest.mark.parametrize("part", ["metadata", "imgs"])
def test_half_of_a_level_is_refused(tmp_path, level, part):
    assert set(find(tmp_path, 32, HARD)) == {"metadata", "imgs"}
    (level / part).rename(level / "other")
    with pytest.raises(UsageError, match=f"{part} is missing"):
        find(tmp_path, 32, HARD)


GOOD = fields(1, 2, 0)


@pytest.mark.parametrize("form", ["text", "U"])
@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (3, "2", "expected the label 0 or 1, found '2'"),
        (3, "1.0", "expected the label 0 or 1, found '1.0'"),
        (0, "imgs/0", "expected imgs/1 and the name of an image in it, found 'imgs/0'"),
        (0, "imgs/../imgs/1", "expected imgs/1 and the name"),
        (1, "../0/sample_2.png", "expected imgs/1 and the name"),
        (1, "..", "expected imgs/1 and the name"),
        (1, "sample_1.png", "imgs/1/sample_1.png is listed twice"),
    ],
)
def test_a_wrong_field_is_refused(level, column, value, message, form):
    rows = [fields(1, 0, 0), fields(1, 1, 1), [*GOOD[:column], value, *GOOD[column + 1 :]]]
    write_metadata(level / "metadata/1.npy", rows, form)
    where = "metadata/1.npy:3: " if form == "text" else "metadata/1.npy: row 3: "
    assert line(level).startswith(where + message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": expected a line for each image, found none"),
        (text(GOOD[:-1]).encode(), ":1: expected 11 columns, found 10"),
        (text([*GOOD, "1"]).encode(), ":1: expected 11 columns, found 12"),
        (text(GOOD).replace(" ", ",").encode(), ":1: expected 11 columns, found 1"),
        (b"\n" + text(GOOD).encode(), ":1: expected 11 columns, found a blank line"),
        (text(GOOD, GOOD[:3]).encode(), ":2: expected 11 columns, found 3"),
        (text(GOOD).replace("sample", "é").encode("latin1"), ":1: expected text in ASCII"),
        (text(GOOD, GOOD).encode("utf-16"), ":1: expected text in ASCII, found UTF-16"),
    ],
)
def test_wrong_text_is_refused(level, content, message):
    (level / "metadata/1.npy").write_bytes(content)
    assert line(level).startswith(f"metadata/1.npy{message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(np.zeros((3, 11))), "found float64 of the shape (3, 11)"),
        (saved(np.array(GOOD)), "of the shape (11,)"),
        (saved(np.array([GOOD])) + b"\n", "expected nothing after the array"),
        (saved(np.array([GOOD], object)), "expected an array of strings, it is damaged or none"),
        (saved(np.array([GOOD]))[:-1], "expected an array of strings, it is damaged or none"),
        (saved(np.array([["é".encode()] * 11])), "expected an array of strings, it is damaged"),
        (saved(np.array([GOOD[:10]])), "row 1: expected 11 columns, found 10"),
        (saved(np.zeros((0, 11), "U3")), "expected a line for each image, found none"),
    ],
)
def test_a_wrong_array_is_refused(level, content, message):
    (level / "metadata/1.npy").write_bytes(content)
    assert line(level).startswith("metadata/1.npy: ") and message in line(level)


GREY = drawn(0)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found no bytes"),
        (b"GIF89a" + png(GREY), "found another file"),
        (png(drawn(0, 64)), "found another header"),
        (png(np.hstack([GREY] * 3), colour=2, width=32), "found another header"),
        (png(np.hstack([GREY] * 2), depth=16, width=32), "found another header"),
        (png(GREY[:, :16], depth=4, width=32), "found another header"),
        (png(GREY, colour=3), "found another header"),
        (png(GREY) + b"\n", "this one is damaged"),
        (png([*GREY[:31], GREY[31, :31]]), "this one is damaged"),
    ],
)
def test_a_wrong_image_is_refused(level, content, found):
    (level / "imgs/1/sample_2.png").write_bytes(content)
    wanted = "expected an 8-bit grey PNG of 32×32 pixels"
    assert line(level).startswith(f"imgs/1/sample_2.png: {wanted}, {found}")
    assert len(read_batch(level, level / "metadata/0.npy", 32)[0]) == 4
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_missing_image_is_refused(level):
    (level / "imgs/1/sample_2.png").unlink()
    assert line(level) == "imgs/1/sample_2.png is missing"


@given(st.integers(0, len(png(GREY)) - 1), st.integers(0, 7), st.booleans())
def test_a_png_that_is_cut_or_has_a_wrong_bit_is_refused(tmp_path_factory, place, bit, cut):
    content = bytearray(png(GREY))
    content[place] ^= 1 << bit
    file = tmp_path_factory.getbasetemp() / "damaged.png"
    file.write_bytes(content[:place] if cut else content)
    with pytest.raises(
        UsageError, match=r"damaged\.png: expected an 8-bit grey PNG of 32×32 pixels"
    ):
        read_image(file, 32)


def test_the_image_without_content_in_the_archive_is_left_out_and_no_other(tmp_path):
    rows = [fields(0, i, i % 2) for i in (171, 172, 173)]
    for name in (f"pathfinder32/{EASY}", f"pathfinder32/{HARD}"):
        level = write_level(tmp_path / name, sizes=(0,))
        write_metadata(level / "metadata/0.npy", rows)
        for i in (171, 172, 173):
            (level / f"imgs/0/sample_{i}.png").write_bytes(b"" if i == 172 else png(drawn(i)))
    assert line(level, 0).startswith("imgs/0/sample_172.png: expected an 8-bit grey PNG")
    level = tmp_path / f"pathfinder32/{EASY}"
    images, labels, left_out = read_batch(level, level / "metadata/0.npy", 32)
    assert np.array_equal(images, [drawn(171).ravel(), drawn(173).ravel()])
    assert labels.tolist() == [1, 1]
    image = level / "imgs/0/sample_172.png"
    assert left_out == [f"{image} is left out: it has no content in the archive"]
    image.write_bytes(png(drawn(172)))
    images, labels, left_out = read_batch(level, level / "metadata/0.npy", 32)
    assert labels.tolist() == [1, 0, 1] and left_out == []
    image.unlink()
    assert line(level, 0) == "imgs/0/sample_172.png is missing"
    (level / "imgs/0/sample_171.png").write_bytes(b"")
    assert line(level, 0).endswith("32×32 pixels, found no bytes")
