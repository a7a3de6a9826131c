"""CIFAR-10's own files: read as they are, nothing in them run; grey levels; made-up images."""

import contextlib
import io
import math
import pickle
import struct
from decimal import Decimal
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from attention_zoo import UsageError
from lra.tasks.image import official
from lra.tasks.image.official import NAMES, find, grey, read, read_batch
from lra.tasks.image.sample import write


class Python2(pickle._Pickler):
    """Writes every string as Python 2 writes its own."""

    def string(self, value):
        value = value.encode() if isinstance(value, str) else value
        size, short = len(value), len(value) < 256
        self.write((b"U" + bytes([size]) if short else b"T" + struct.pack("<i", size)) + value)

    dispatch = pickle._Pickler.dispatch | {bytes: string, str: string}


def python_2(content):
    stream = io.BytesIO()
    Python2(stream, 2).dump(content)
    return stream.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


python_3 = partial(pickle.dumps, protocol=2)


def batch(n=7, seed=0):
    rng = np.random.default_rng(seed)
    return {
        b"batch_label": b"training batch 1 of 5",
        b"labels": rng.integers(0, 10, n).tolist(),
        b"data": rng.integers(0, 256, (n, 3072), np.uint8),
        b"filenames": [b"tabby_s_%06d.png" % i for i in range(n)],
    }


PICKLED = python_2(batch(2))
places = st.integers(0, len(PICKLED) - 1)


def write_official(folder, dump=python_2):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(NAMES):
        (folder / name).write_bytes(dump(batch(3 + i, i)))
    return folder


def in_decimals(red, green, blue):
    mixed = Decimal("0.2989") * red + Decimal("0.5870") * green + Decimal("0.1140") * blue
    return Decimal("255.5") * mixed / 255


def of_one(*colour):
    return int(grey(np.array(colour, np.uint8).reshape(1, 3, 1))[0, 0])


WORKED = [((0, 0, 0), 0), ((255, 255, 255), 255)]  # the latter 255.47
WORKED += [((255, 0, 0), 76), ((0, 255, 0), 149), ((0, 0, 255), 29)]  # 76.37, 149.98, 29.13


@pytest.mark.parametrize(("colour", "level"), WORKED)
def test_a_colour_has_the_grey_worked_out_by_hand(colour, level):
    assert of_one(*colour) == level == math.floor(in_decimals(*colour))


def test_pillow_rounds_where_tensorflow_truncates():
    assert Image.new("RGB", (1, 1), (0, 255, 0)).convert("L").getpixel((0, 0)) == 150
    assert of_one(0, 255, 0) == 149


@given(*[st.integers(0, 255)] * 3)
def test_every_grey_is_the_exact_value_cut_off(red, green, blue):
    exact = in_decimals(red, green, blue)
    assert of_one(red, green, blue) in {math.floor(exact), math.floor(exact + Decimal("0.0001"))}


def test_of_all_colours_237_are_a_level_above_exact_arithmetic():
    green, blue = np.mgrid[:256, :256].reshape(2, -1)
    above = below = 0
    for red in range(256):
        exact = 511 * (2989 * red + 5870 * green + 1140 * blue) // 5_100_000
        planes = np.stack([np.full_like(green, red), green, blue]).astype(np.uint8)
        difference = grey(planes[None])[0].astype(int) - exact
        above += (difference == 1).sum()
        below += ((difference != 1) & (difference != 0)).sum()
    assert (above, below) == (237, 0)
    assert all(of_one(level, level, level) == level for level in range(256))


def test_chunks_do_not_show(monkeypatch):
    rgb = np.random.default_rng(0).integers(0, 256, (7, 3, 5), np.uint8)
    whole = grey(rgb)
    monkeypatch.setattr(official, "CHUNK", 3)
    assert np.array_equal(grey(rgb), whole) and whole[6, 4] == of_one(*rgb[6, :, 4])


@pytest.mark.parametrize("dump", [python_2, python_3])
def test_the_official_images_are_the_data_in_their_order(tmp_path, dump):
    data = read(find(write_official(tmp_path, dump)))
    pixels, labels = data["train"]
    assert pixels.shape == (3 + 4 + 5 + 6 + 7, 1024) and pixels.dtype == labels.dtype == np.uint8
    parts = [batch(3 + i, i) for i in range(6)]
    assert labels.tolist() == [x for part in parts[:5] for x in part[b"labels"]]
    assert data["test"][1].tolist() == parts[5][b"labels"]
    second = parts[1][b"data"][2]  # row 3 + 2 of all
    for place in (0, 1, 32, 1023):
        red, green, blue = (int(second[plane * 1024 + place]) for plane in range(3))
        assert pixels[5, place] == of_one(red, green, blue)


def test_the_order_of_memory_does_not_matter(tmp_path):
    content = batch(2)
    (tmp_path / "c").write_bytes(PICKLED)
    (tmp_path / "f").write_bytes(python_2(content | {b"data": np.asfortranarray(content[b"data"])}))
    assert np.array_equal(read_batch(tmp_path / "f")[0], read_batch(tmp_path / "c")[0])


def test_files_are_found_in_the_archives_folder_or_beside(tmp_path):
    assert find(tmp_path) == {} == find(tmp_path / "none")
    inner = write_official(tmp_path / "cifar-10-batches-py")
    assert find(tmp_path) == find(inner) == {name: inner / name for name in NAMES}
    (inner / "data_batch_3").unlink()
    with pytest.raises(UsageError, match="data_batch_3 is missing beside the other official"):
        find(tmp_path)


def refused(tmp_path, content, message):
    file = tmp_path / "data_batch_4"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_batch(file)
    assert str(caught.value).startswith(f"{file}: expected") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({b"data": None}, "b'data' to be an array"),
        ({b"data": np.zeros((7, 3072))}, "of the type 'u1', found b'f8'"),
        ({b"data": np.zeros((7, 3072), object)}, "of the type 'u1', found b'O8'"),
        ({b"data": np.zeros((7, 3071), np.uint8)}, r"shape \(n, 3072\), .* found \(7, 3071\)"),
        ({b"data": np.zeros((7, 3, 32, 32), np.uint8)}, r"found \(7, 3, 32, 32\)"),
        ({b"labels": [0] * 8}, "a list of 7 labels, found 8"),
        ({b"labels": [0] * 6 + [10]}, "labels of 0 to 9, the one of image 6 is none"),
        ({b"labels": [True] * 7}, "labels of 0 to 9, the one of image 0 is none"),
        ({b"labels": [16**5000] * 7}, "labels of 0 to 9, the one of image 0 is none"),
    ],
)
def test_a_wrong_batch_is_refused_with_what_was_expected(tmp_path, changes, message):
    refused(tmp_path, python_2(batch() | changes), message)


def test_a_batch_without_its_keys_is_refused(tmp_path):
    text = {name.decode(): value for name, value in batch().items()}
    for content in (python_3(text), python_2({b"data": 0}), python_2({b"labels": 0}), b"(l."):
        refused(tmp_path, content, "the keys b'data' and b'labels'")


def test_a_file_that_is_no_pickle_is_refused(tmp_path):
    for content in (b"\x89PNG", b"data,labels\n", b"(" * 9):
        refused(tmp_path, content, "a whole pickle, it is damaged or none")


def test_bytes_that_are_not_those_of_the_shape_are_refused(tmp_path):
    refused(tmp_path, python_2(batch()) + b"\n", "nothing after the pickle")
    start, _, rest = PICKLED.partition(b"T" + struct.pack("<i", 2 * 3072))
    shorter = start + b"T" + struct.pack("<i", 2 * 3072 - 1) + rest[1:]
    refused(tmp_path, shorter, r"found \(2, 3072\) and 6,143")


def test_a_hostile_pickle_does_not_run(tmp_path):
    folder = tmp_path / "made"
    hostile = PICKLED[:-1] + b"cposix\nmkdir\n(S'%s'\ntR0." % str(folder).encode()
    refused(tmp_path, hostile, "it asks for 'posix.mkdir'")
    assert not folder.exists()
    assert pickle.loads(hostile, encoding="bytes")[b"labels"] == batch(2)[b"labels"]
    assert folder.is_dir()  # another reader ran it, and saw the same batch


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"\x80\x04\x8c\x03o\ns\x8c\x01c\x93.", r"o\\ns.c"),
    ],
)
def test_what_a_pickle_may_ask_for_is_what_an_array_needs(tmp_path, content, what):
    refused(tmp_path, content, f"it asks for '{what}'")


def test_what_it_may_ask_for_cannot_be_turned_round(tmp_path):
    for content in (
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        b"cnumpy\nndarray\n}S'__setstate__'\ncnumpy\ndtype\nsb.",
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # 32 GB, to remember one object
    ):
        refused(tmp_path, content, "a whole pickle, it is damaged or none")


@given(st.lists(st.tuples(places | st.integers(0, 300), st.integers(0, 7)), max_size=3))
def test_a_damaged_batch_is_refused_or_still_one(tmp_path_factory, flips):
    content = bytearray(PICKLED)
    for place, bit in flips:
        content[place] ^= 1 << bit
    file = tmp_path_factory.getbasetemp() / "damaged"
    file.write_bytes(content)
    with contextlib.suppress(UsageError):
        pixels, labels = read_batch(file)
        assert pixels.shape == (2, 1024) and labels.max() < 10


@given(places)
def test_a_truncated_batch_is_refused(tmp_path_factory, size):
    refused(tmp_path_factory.getbasetemp(), PICKLED[:size], "a whole pickle, it is damaged or none")


SIZES = {"train": 23, "test": 12}


def test_made_up_files_are_official_ones_to_every_reader(tmp_path):
    write(tmp_path, SIZES, 0)
    data = read(find(tmp_path))
    for split, (pixels, labels) in data.items():
        assert pixels.shape == (SIZES[split], 1024)
        counts = np.bincount(labels, minlength=10)
        assert counts.min() == SIZES[split] // 10 and counts.max() == -(-SIZES[split] // 10)
    firsts = dict.fromkeys(("train", "test"), 0)
    for name, file in find(tmp_path).items():
        with open(file, "rb") as opened:
            plain = pickle.load(opened, encoding="bytes")
        assert set(plain) == {b"batch_label", b"labels", b"data"}
        assert plain[b"data"].dtype == np.uint8 and plain[b"data"].shape[1] == 3072
        split = "test" if name == "test_batch" else "train"
        pixels, labels = (part[firsts[split] :] for part in data[split])
        firsts[split] += len(plain[b"labels"])
        assert plain[b"labels"] == labels[: len(plain[b"labels"])].tolist()
        assert pixels[0, 40] == of_one(*plain[b"data"][0].reshape(3, 1024)[:, 40])
        with open(file, "rb") as opened:  # as torchvision does
            assert pickle.load(opened, encoding="latin1")["labels"] == plain[b"labels"]


def test_the_seed_alone_decides_the_made_up_images(tmp_path):
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        write(tmp_path / folder, SIZES, seed)
    for a, b, c in zip(*(find(tmp_path / folder).values() for folder in "abc"), strict=True):
        assert a.read_bytes() == b.read_bytes() != c.read_bytes()


def test_no_file_is_made_without_images_or_over_another(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    for split, sizes in (("train", {"train": 4, "test": 9}), ("test", {"train": 9, "test": 0})):
        with pytest.raises(
            UsageError, match=f"made-up {split} images or more, found {sizes[split]}"
        ):
            write(tmp_path, sizes, 0)
        assert not folder.exists()
    folder.mkdir()
    (folder / "data_batch_2").write_bytes(b"official")
    with pytest.raises(UsageError, match="data_batch_2 exists"):
        write(tmp_path, SIZES, 0)
    assert [file.read_bytes() for file in folder.iterdir()] == [b"official"]


def test_made_up_images_need_more_than_their_mean_grey(tmp_path):
    write(tmp_path, {"train": 3_000, "test": 1_000}, 0)
    (pixels, labels), (others, truth) = read(find(tmp_path)).values()
    edges = np.quantile(pixels.mean(1), np.linspace(0, 1, 13)[1:-1])
    bins = np.searchsorted(edges, pixels.mean(1))
    likeliest = np.array([np.bincount(labels[bins == i]).argmax() for i in range(12)])
    by_mean = (likeliest[np.searchsorted(edges, others.mean(1))] == truth).mean()
    assert by_mean == pytest.approx(0.31, abs=0.04)

    def columns(images):
        centred = images.reshape(-1, 16, 2, 16, 2).mean((2, 4)).reshape(-1, 256) - 100.0
        return np.hstack([centred, np.ones((len(images), 1))])

    weights = np.linalg.lstsq(columns(pixels), np.eye(10)[labels], rcond=None)[0]
    by_pixels = ((columns(others) @ weights).argmax(1) == truth).mean()
    assert by_pixels > by_mean + 0.25
