"""CIFAR-10 as its author distributes it for Python: cifar-10-batches-py (Krizhevsky 2009)."""

import io
import pickle
import pickletools
import reprlib
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo import UsageError
from lra.data.official import all_or_none
from lra.tasks.altered import altered_bytes

TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
NAMES = (*TRAIN, "test_batch")
FOLDER = "cifar-10-batches-py"
FOLDERS = (FOLDER, f"{FOLDER}/{FOLDER}", f"cifar-10-python/{FOLDER}", ".")
PLANES = 3 * 32 * 32  # bytes of an image: its red, green and blue plane, each row by row
CLASSES = 10
WEIGHTS = np.array((0.2989, 0.5870, 0.1140), np.float32)  # of red, green and blue
CHUNK = 1_000  # images that are in float32 at once: 12 MB of CIFAR-10


def find(data_dir: Path) -> dict[str, Path]:
    """The six batch files, by name, in `data_dir/cifar-10-batches-py`, also within a folder that an
    unpacker made around it, or in `data_dir` itself."""
    sets = ({name: data_dir / folder / name for name in NAMES} for folder in FOLDERS)
    return all_or_none(sets, "CIFAR-10 files")


def read(files: dict[str, Path]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(grey levels (n, 1024) uint8 row by row, labels (n,) uint8) of train and of test.

    The training batches follow each other in their order. Raises UsageError with the file where
    one is not an official batch.
    """

    def joined(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        images, labels = zip(*(read_batch(files[name]) for name in names), strict=True)
        return np.concatenate(images), np.concatenate(labels)

    return {"train": joined(TRAIN), "test": joined(("test_batch",))}


def read_batch(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """(grey levels (n, 1024) uint8, labels (n,) uint8) of a batch.

    A batch is a pickle of a dict with b"data", an array (n, 3072) of uint8, and b"labels", a list
    of n integers 0…9, whose strings were Python 2's. What else the dict holds is not used.
    """
    batch = unpickle(file)
    if not isinstance(batch, dict) or not {b"data", b"labels"} <= batch.keys():
        raise UsageError(f"{file}: expected a pickled dict with the keys b'data' and b'labels'")
    rgb = pixels(file, batch[b"data"])
    labels = batch[b"labels"]
    if not isinstance(labels, list) or len(labels) != len(rgb):
        found = f"{len(labels):,}" if isinstance(labels, list) else "no list"
        raise UsageError(f"{file}: expected a list of {len(rgb):,} labels, found {found}")
    for i, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < CLASSES:
            raise UsageError(
                f"{file}: expected labels of 0 to {CLASSES - 1}, the one of image {i} is none"
            )
    return grey(rgb.reshape(len(rgb), 3, -1)), np.array(labels, np.uint8)


class Recorded:
    """Stands for anything of numpy's in a pickle: keeps what it would be made from."""

    arguments: tuple = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class BatchUnpickler(pickle.Unpickler):
    """Runs nothing that a pickle names: an array is only recorded."""

    ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.ALLOWED:
            return Recorded
        if (module, name) == ("_codecs", "encode"):  # Python 3's way to write bytes for Python 2
            return latin1
        what = f"{module}.{name}"[:80]
        raise UsageError(f"expected a pickle of arrays and lists, it asks for {what!r}")


def latin1(text: str, encoding: str) -> bytes:
    """_codecs.encode, of the one encoding that pickles use it with."""
    if encoding not in ("latin1", b"latin1"):
        raise ValueError(f"no pickle writes bytes as {encoding!r}")
    return text.encode("latin1")


def unpickle(file: Path) -> Any:
    """What the one pickle in a file holds, with strings of Python 2's as bytes."""
    content = file.read_bytes()
    stream = io.BytesIO(content)
    try:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(content)):
            # Memory is taken for all indices below one that is used: a damaged one may ask for GBs.
            if instruction.name in ("PUT", "LONG_BINPUT") and argument > count:
                raise ValueError(f"index {argument} after {count} instructions")
        loaded = BatchUnpickler(stream, encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise any
        altered = altered_bytes(content)
        if altered:
            raise UsageError(f"{file}: expected a pickle, found {altered}") from error
        if isinstance(error, UsageError):
            raise UsageError(f"{file}: {error}") from None
        raise UsageError(f"{file}: expected a whole pickle, it is damaged or none") from error
    rest = stream.read()
    if rest:
        found = "more bytes" if rest.strip() else "a blank line"
        raise UsageError(f"{file}: expected nothing after the pickle, found {found}")
    return loaded


def pixels(file: Path, array: Any) -> np.ndarray:
    """The array (n, 3072) uint8 that was recorded."""
    try:
        shape, dtype, fortran, content = array.state[-4:]
        kind, found = reprlib.repr(dtype.arguments[0])[:20], reprlib.repr(shape)[:40]
        rows = len(content) // PLANES
    except (AttributeError, IndexError, RecursionError, TypeError, ValueError):
        raise UsageError(f"{file}: expected b'data' to be an array") from None
    if kind not in ("b'u1'", "'u1'"):
        raise UsageError(f"{file}: expected b'data' to be of the type 'u1', found {kind}")
    size = len(content)
    if shape != (rows, PLANES) or not rows or size != rows * PLANES or type(content) is not bytes:
        raise UsageError(
            f"{file}: expected b'data' to be of the shape (n, {PLANES}), n > 0, and as many bytes, "
            f"found {found} and {size:,}"
        )
    return np.frombuffer(content, np.uint8).reshape((rows, PLANES), order="F" if fortran else "C")


def grey(rgb: np.ndarray) -> np.ndarray:
    """TensorFlow's rgb_to_grayscale: ⌊255.5 · (0.2989 red + 0.5870 green + 0.1140 blue) / 255⌋.

    rgb: (n, 3, P) uint8, red, green and blue planes of P pixels. Returns (n, P) uint8. Nothing
    saturates, and a colour of three equal levels keeps its level. Pillow's "L" rounds instead, and
    is a level higher for a quarter of all colours. The arithmetic is in float32, from colours in
    [0, 1], which gives 237 of the 2²⁴ colours a level more than exact arithmetic does.
    """
    levels = np.empty((rgb.shape[0], rgb.shape[2]), np.uint8)
    for i in range(0, len(rgb), CHUNK):
        colours = rgb[i : i + CHUNK].astype(np.float32) * np.float32(1 / 255)
        red, green, blue = np.moveaxis(colours, 1, 0)
        mixed = WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue
        levels[i : i + CHUNK] = mixed * np.float32(255.5)  # the cast truncates
    return levels
