"""The IMDb reviews as their authors distribute them: aclImdb/{train,test}/{pos,neg} (Maas et al.
2011)."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from attention_zoo import UsageError
from lra.data.official import all_or_none
from lra.tasks.altered import BOM, IN_UTF16, UTF16

NAMES = ("train/pos", "train/neg", "test/pos", "test/neg")
FOLDERS = ("aclImdb", "aclImdb/aclImdb", "aclImdb_v1/aclImdb", ".")
LABELS = {"neg": 0, "pos": 1}
RATINGS = {"neg": range(1, 5), "pos": range(7, 11)}  # out of ten; 5 and 6 were left out
NAME = re.compile(r"(0|[1-9][0-9]*)_(0|[1-9][0-9]*)\.txt")

# Ids are bytes too: the highest byte of UTF-8 is 0xF4, so none wraps round to 0, the padding.
IDS = bytes((byte + 1) % 256 for byte in range(256))


def find(data_dir: Path) -> dict[str, Path]:
    """The four folders of labelled reviews in `data_dir/aclImdb`, also within a folder that an
    unpacker made around it, or in `data_dir` itself."""
    sets = ({name: data_dir / folder / name for name in NAMES} for folder in FOLDERS)
    return all_or_none(sets, "IMDb folders", "folder")


def read(folders: dict[str, Path]) -> dict[str, list[tuple[bytes, int]]]:
    """Every review as (its UTF-8 text, label), for train and test.

    pos has the label 1 and neg 0. The order is by label, then by the number in the file's name,
    whatever order the file system lists files in. macOS leaves `.DS_Store` and files that begin
    with `._` in folders and archives: these two are ignored, any other file must be a review.
    Raises UsageError with the file for a name that is not `<id>_<rating>.txt` with a rating of its
    folder, an id that two files share, a file without text or that is not UTF-8, an empty folder.
    """
    files = {name: list_reviews(folders[name], name.split("/")[1]) for name in NAMES}
    splits: dict[str, list[tuple[bytes, int]]] = {"train": [], "test": []}
    total = sum(map(len, files.values()))
    with tqdm(total=total, desc="reading reviews", unit=" reviews", disable=None) as bar:
        for split, reviews in splits.items():
            for side, label in LABELS.items():
                for file in files[f"{split}/{side}"]:
                    reviews.append((read_review(file), label))
                    bar.update()
    return splits


def list_reviews(folder: Path, side: str) -> list[Path]:
    """The files of a folder in the order of their ids; side: pos or neg."""
    ratings = RATINGS[side]
    numbered: dict[int, Path] = {}
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name == ".DS_Store" or entry.name.startswith("._"):
                continue
            path, match = folder / entry.name, NAME.fullmatch(entry.name)
            if not match or not entry.is_file() or int(match[2]) not in ratings:
                raise UsageError(
                    f"{path}: expected only files named <id>_<rating>.txt with a rating of "
                    f"{ratings.start} to {ratings.stop - 1} in this folder"
                )
            other = numbered.setdefault(int(match[1]), path)
            if other != path:
                raise UsageError(f"{path}: expected one review of an id, found {other.name} too")
    if not numbered:
        raise UsageError(f"{folder}: expected reviews, the folder is empty")
    return [numbered[number] for number in sorted(numbered)]


def read_review(file: Path) -> bytes:
    """The bytes of a file, which are valid UTF-8 and not just white space."""
    text = file.read_bytes()
    try:
        blank = not text.decode().removeprefix("\ufeff").strip()
    except UnicodeDecodeError as error:
        byte = f"0x{text[error.start]:02x} at byte {error.start + 1}"
        found = IN_UTF16 if text.startswith(UTF16) else byte
        raise UsageError(f"{file}: expected UTF-8, found {found}") from None
    if blank:
        raise UsageError(f"{file}: expected the text of a review, the file has none")
    return text


def alterations(texts: Iterable[bytes]) -> list[str]:
    """A line for what official reviews hardly have; it is read as text, as everything is."""
    texts = list(texts)
    found = {
        "that begin with a byte-order mark": sum(text.startswith(BOM) for text in texts),
        "with CRLF line ends": sum(b"\r\n" in text for text in texts),
    }
    return [f"reviews {what}, which is read as text: {n:,}" for what, n in found.items() if n]


def encode(text: bytes, max_len: int) -> bytes:
    """Token ids of the first `max_len` bytes of valid UTF-8: byte + 1, in 1 … 245 (0 is padding).

    Nothing else changes: no lower case, and `<br />` stays.
    """
    return text[:max_len].translate(IDS)
