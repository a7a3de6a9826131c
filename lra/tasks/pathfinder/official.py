"""Pathfinder's images as LRA distributes them: pathfinder<resolution>/<level>/{imgs,metadata}."""

import io
import re
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from attention_zoo import UsageError
from lra.data.official import RELEASE, all_or_none, release_folders
from lra.system.files import kind_of
from lra.tasks.altered import BOM, altered_bytes, altered_line

NUMBERED = re.compile(r"(?:0|[1-9][0-9]*)\.npy")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
COLUMNS = 11  # of which 0 is the folder of an image, 1 its name and 3 its label
LABELS = {"0": 0, "1": 1}
# The one image that is zero bytes long in the archive.
EMPTY = (32, "curv_baseline", "imgs/0/sample_172.png")
NUMPY = b"\x93NUMPY"
PNG = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def find(data_dir: Path, resolution: int, level: str) -> dict[str, Path]:
    """The folders `metadata` and `imgs` of a level, nothing where `data_dir` does not hold it.

    They are looked for in the archive's innermost folder, `lra_release/lra_release`, then in
    `data_dir`, which may itself be one of these two folders. What an outer folder holds beside the
    inner one is another copy, suspected to be wrong, and never read: UsageError where it is all
    there is. UsageError too where one of the two folders is missing.
    """
    name = Path(f"pathfinder{resolution}", level)
    innermost, *around = folders = release_folders(data_dir)
    named = data_dir.resolve().name == RELEASE
    places = [innermost] if len(around) + named > 1 else []
    if not (named and around):
        places.append(data_dir)
    for place in places:
        if kind_of(place / name) == "folder":
            found = {part: place / name / part for part in ("metadata", "imgs")}
            return all_or_none([found], f"folder of {place / name}", "folder")
    for outer in folders:
        if kind_of(outer / name) == "folder":
            raise UsageError(
                f"{outer / name} is the archive's outer copy, which is suspected to be wrong: "
                f"unpack the inner one, {outer / RELEASE / name}"
            )
    return {}


def batches(metadata: Path) -> list[Path]:
    """The files `<n>.npy` of a folder in the order of n.

    Names that begin with a dot, such as macOS's .DS_Store, are ignored. UsageError for any other
    name, and where there is no such file.
    """
    files = [path for path in metadata.iterdir() if not path.name.startswith(".")]
    for file in sorted(files):
        if not NUMBERED.fullmatch(file.name) or not file.is_file():
            raise UsageError(f"{file}: expected only files named <n>.npy in this folder")
    if not files:
        raise UsageError(f"{metadata}: expected files named <n>.npy, found none")
    return sorted(files, key=lambda file: int(file.stem))


def read_batch(
    level_folder: Path, metadata_file: Path, resolution: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The images that a metadata file lists, in its order, as their PNG files hold them.

    Returns (grey levels (n, resolution²) uint8 row by row, labels (n,) uint8 with 1 where one curve
    joins the markers, a line for each image left out). The image that the archive holds without
    content, sample_172 of pathfinder32/curv_baseline, is left out while it is empty, no other.
    Raises UsageError for a file of metadata and an image that are not as expected.
    """
    images, labels, left_out = [], [], []
    for name, label in listed(metadata_file):
        file = level_folder / name
        if (resolution, level_folder.name, name) == EMPTY and _bytes(file) == b"":
            left_out.append(f"{file} is left out: it has no content in the archive")
            continue
        images.append(read_image(file, resolution))
        labels.append(label)
    pixels = np.array(images, np.uint8).reshape(len(images), resolution**2)
    return pixels, np.array(labels, np.uint8), left_out


def listed(metadata_file: Path) -> list[tuple[str, int]]:
    """(path below the level's folder, label) of each image of a batch.

    The file is text with an image a line, as in the archive, or an array of strings with an image a
    row, as the authors' generator saves. Batch n lists images of imgs/n only.
    """
    content = _bytes(metadata_file)
    saved = content.removeprefix(BOM).startswith(NUMPY)
    rows = array_rows(metadata_file, content) if saved else text_rows(metadata_file, content)
    if not rows:
        raise UsageError(f"{metadata_file}: expected a line for each image, found none")
    folder = f"imgs/{metadata_file.stem}"
    found: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        where = f"{metadata_file}: row {number}" if saved else f"{metadata_file}:{number}"
        altered = None if row[:1] == [folder] else altered_line(" ".join(row).encode(), None)
        if altered or len(row) != COLUMNS:
            raise UsageError(f"{where}: expected {COLUMNS} columns, found {altered or len(row)}")
        if row[0] != folder or not NAME.fullmatch(row[1]):
            raise UsageError(
                f"{where}: expected {folder} and the name of an image in it, "
                f"found {row[0][:40]!r} and {row[1][:40]!r}"
            )
        if row[3] not in LABELS:
            raise UsageError(f"{where}: expected the label 0 or 1, found {row[3][:20]!r}")
        name = f"{folder}/{row[1]}"
        if name in found:
            raise UsageError(f"{where}: {name} is listed twice")
        found[name] = LABELS[row[3]]
    return list(found.items())


def text_rows(file: Path, content: bytes) -> list[list[str]]:
    """The columns of each line, without a byte-order mark and one blank last line."""
    content = content.removeprefix(BOM)
    lines = content.splitlines()
    if lines and not lines[-1].strip():
        lines.pop()
    try:
        return [line.decode("ascii").split() for line in lines]
    except UnicodeDecodeError as error:
        number = lines.index(error.object)
        found = altered_line(lines[number], None) or f"0x{error.object[error.start]:02x}"
        raise UsageError(f"{file}:{number + 1}: expected text in ASCII, found {found}") from None


def array_rows(file: Path, content: bytes) -> list[list[str]]:
    stream = io.BytesIO(content)
    try:
        array = np.load(stream, allow_pickle=False)
        rows = array.astype(np.str_) if array.dtype.kind in "SU" else None
    except Exception as error:  # numpy's for a damaged header are many
        altered = altered_bytes(content)
        found = f"found {altered}" if altered else "it is damaged or none"
        raise UsageError(f"{file}: expected an array of strings, {found}") from error
    if rows is None or rows.ndim != 2:
        raise UsageError(
            f"{file}: expected an array of strings with a row for each image, found "
            f"{array.dtype} of the shape {array.shape}"
        )
    if stream.read(1):
        found = altered_bytes(content) or "more bytes"
        raise UsageError(f"{file}: expected nothing after the array, found {found}")
    return rows.tolist()


def read_image(file: Path, resolution: int) -> np.ndarray:
    """The grey levels (resolution, resolution) uint8 of a PNG file, each of its checksums tested.

    UsageError where the file is no whole 8-bit grey PNG of that size.
    """
    content = _bytes(file)
    wanted = f"expected an 8-bit grey PNG of {resolution}×{resolution} pixels"
    if not content.startswith(PNG):
        found = altered_bytes(content) or ("another file" if content else "no bytes")
        raise UsageError(f"{file}: {wanted}, found {found}")
    size, depth_and_colour = struct.pack(">II", resolution, resolution), b"\x08\x00"
    header = PNG + b"\0\0\0\x0dIHDR" + size + depth_and_colour
    if not content.startswith(header):
        raise UsageError(f"{file}: {wanted}, found another header")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            image.verify()  # loading alone lets wrong checksums pass
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            pixels = np.asarray(image)
    except Exception as error:  # Pillow's for a damaged file are many
        raise UsageError(f"{file}: {wanted}, this one is damaged") from error
    if not content.endswith(PNG_END) or pixels.shape != (resolution, resolution):
        raise UsageError(f"{file}: {wanted}, this one is damaged at its end")
    return pixels


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UsageError(f"{file} is missing") from None
