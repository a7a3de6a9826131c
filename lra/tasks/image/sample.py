"""Made-up colour images in the format of CIFAR-10's files, to try the task without them."""

import struct
from pathlib import Path

import numpy as np

from attention_zoo import UsageError
from lra.seeds import derive
from lra.system.files import whole
from lra.tasks.image.official import CLASSES, FOLDERS, NAMES, PLANES, TRAIN, WEIGHTS

SIDE = 32
CHUNK = 1_000  # images drawn at once
PLACES = np.array(((9, 9), (9, 22), (22, 9), (22, 22), (16, 16)))  # row and column of the disc
JITTER = 2  # pixels that a disc is off its place at most, in rows and in columns
RADIUS = 7.0
STEP = 110.0  # grey levels between the light stripes and what is behind the disc
BEHIND = 50.0, 10.0  # mean grey there: of class 0, and what each further class adds
SPREAD = 16.0  # standard deviation of that grey between images
TINT = 40.0  # largest difference of a colour from its grey, about
NOISE = 12.0  # standard deviation of each colour of each pixel


def write(folder: Path, sizes: dict[str, int], seed: int) -> None:
    """Writes `folder/cifar-10-batches-py/{data_batch_1,…,data_batch_5,test_batch}`, the seed's.

    sizes: images in train, spread over the five batches, and in test; in each, two classes differ
    by one image at most. An image is a striped disc before a plain colour, with noise. Its class c
    says where the disc is, in one of four quadrants or the middle by c mod 5, up to 2 pixels off in
    rows and in columns, how its stripes run, in rows where c < 5 and in columns otherwise, and how
    light the rest is. The class that is likeliest given an image's mean grey is right for 31 % of
    images, given a linear function of its pixels for 70 %.
    Raises UsageError for fewer than five training images or no test image, and where one of the
    files exists.
    """
    for split, fewest in (("train", len(TRAIN)), ("test", 1)):
        if sizes[split] < fewest:
            raise UsageError(
                f"expected {fewest} made-up {split} images or more, found {sizes[split]}"
            )
    folder = folder / FOLDERS[0]
    for name in NAMES:
        if (folder / name).exists():
            raise UsageError(f"{folder / name} exists: made-up images never take its place")
    folder.mkdir(parents=True, exist_ok=True)
    train, test = (
        random(seed, split).permutation(np.arange(sizes[split]) % CLASSES)
        for split in ("train", "test")
    )
    for name, labels in zip(NAMES, [*np.array_split(train, len(TRAIN)), test], strict=True):
        rng = random(seed, name)
        images = [draw(rng, labels[i : i + CHUNK]) for i in range(0, len(labels), CHUNK)]
        with whole(folder / name) as file:
            file.write(pickled(np.concatenate(images), labels, f"made-up {name}"))


def random(seed: int, purpose: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(derive(seed, "image sample", purpose)))


def draw(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Images (n, 3072) uint8 of labels (n,): red, green and blue planes, each row by row."""

    def each(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)[:, None, None]

    n, kind = len(labels), labels // len(PLACES)
    place = PLACES[labels % len(PLACES)] + rng.integers(-JITTER, JITTER + 1, (n, 2))
    row, column = np.arange(SIDE, dtype=np.float32)[:, None], np.arange(SIDE, dtype=np.float32)
    disc = np.hypot(row - each(place[:, 0]), column - each(place[:, 1]))
    disc = np.clip(RADIUS + 0.5 - disc, 0, 1)
    turns = np.where(each(kind), column, row) / each(rng.uniform(3, 5, n))
    stripes = 0.6 + 0.4 * np.cos(2 * np.pi * (turns + each(rng.random(n))))
    behind = BEHIND[0] + BEHIND[1] * labels + SPREAD * rng.standard_normal(n)
    light = each(behind) + STEP * disc * stripes
    tint = rng.uniform(-TINT, TINT, (2, n, 3, 1, 1)).astype(np.float32)
    weights = (WEIGHTS / WEIGHTS.sum())[:, None, None]
    tint -= (tint * weights).sum(2, keepdims=True)  # a tint has no grey of its own
    image = light[:, None] + tint[0] + (tint[1] - tint[0]) * disc[:, None]
    image += NOISE * rng.standard_normal(image.shape, np.float32)
    return image.clip(0, 255).astype(np.uint8).reshape(n, PLANES)


def pickled(images: np.ndarray, labels: np.ndarray, name: str) -> bytes:
    """A batch as Python 2 pickles it with protocol 2, byte by byte: Python 3 would write neither
    the strings of the keys nor the old name of numpy's module.

    images: (n, 3072) uint8. labels: (n,).
    """
    n, planes = images.shape
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + (integer(0) + b"\x85" + string(b"b") + b"\x87R")
        + (b"(" + integer(1) + integer(n) + integer(planes) + b"\x86cnumpy\ndtype\n")
        + (string(b"u1") + integer(0) + integer(1) + b"\x87R")
        + (b"(" + integer(3) + string(b"|") + b"NNN" + integer(-1) * 2 + integer(0) + b"tb")
        + (b"\x89" + string(images.tobytes()) + b"tb")
    )
    return (
        (b"\x80\x02}(" + string(b"batch_label") + string(name.encode()))
        + (string(b"labels") + b"](" + b"".join(map(integer, labels.tolist())) + b"e")
        + (string(b"data") + array + b"u.")
    )


def integer(value: int) -> bytes:
    """The instruction BININT of a pickle."""
    return b"J" + struct.pack("<i", value)


def string(value: bytes) -> bytes:
    """The instruction BINSTRING of a pickle, a string of Python 2's."""
    return b"T" + struct.pack("<i", len(value)) + value
