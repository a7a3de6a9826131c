"""The pairs of papers that LRA distributes: new_aan_pairs.{train,eval,test}.tsv (Radev et al. 2013,
Tay et al. 2021)."""

import os
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from attention_zoo import UsageError
from lra.data.official import all_or_none, release_folders
from lra.tasks.altered import BOM, altered_line
from lra.tasks.text.official import encode

FILES = {"train": "train", "val": "eval", "test": "test"}
PRINTED = bytes(range(0x20, 0x7F))  # what Python's repr of bytes is made of
LONGEST = 1 << 26  # bytes of a line, so that a file without line ends does not fill the memory

Pair = tuple[bytes, bytes, int]  # token ids of two documents, label


def find(data_dir: Path) -> dict[str, Path]:
    """The three files, by split, in the archive's innermost folder, or `data_dir` itself."""
    folders = [folder / "tsv_data" for folder in release_folders(data_dir)]
    sets = (
        {split: folder / f"new_aan_pairs.{name}.tsv" for split, name in FILES.items()}
        for folder in (*folders, data_dir)
    )
    return all_or_none(sets, "Retrieval files")


def read(file: Path, max_len: int) -> Iterator[Pair]:
    """The rows of an official file, one after the other: both documents' token ids and the label.

    A row is label, id of paper 1, id of paper 2, text 1, text 2, between tabs, without quoting or a
    header. The token ids are byte + 1 of the first `max_len` bytes of the text column as it stands,
    a printed bytes literal with its prefix and its escapes, as LRA reads it. The label is 1 where a
    citation links the papers. A byte-order mark and one blank last line are skipped. Raises
    UsageError with file and line on reaching a row that is wrong, and for a file without rows.
    """
    rows, size = 0, os.stat(file).st_size
    with (
        open(file, "rb") as opened,
        tqdm(
            total=size,
            desc=f"reading {file.name}",
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar,
    ):
        for number, line in enumerate(iter(lambda: opened.readline(LONGEST), b""), 1):
            bar.update(len(line))
            if len(line) == LONGEST:
                raise UsageError(
                    f"{file}:{number}: expected a line of fewer than {LONGEST:,} bytes"
                )
            if number == 1:
                line = line.removeprefix(BOM)
            if not line.strip(b"\r\n") and opened.tell() == size:
                break
            try:
                pair = parse_row(line, max_len)
            except UsageError as error:
                found = altered_line(line)
                what = f"expected five columns between tabs, found {found}" if found else error
                raise UsageError(f"{file}:{number}: {what}") from None
            rows += 1
            yield pair
    if not rows:
        raise UsageError(f"{file}:1: expected rows of five columns, the file is empty")


def parse_row(line: bytes, max_len: int) -> Pair:
    """One row, with or without its line end; UsageError says what was expected."""
    columns = line.removesuffix(b"\n").removesuffix(b"\r").split(b"\t")
    if len(columns) != 5:
        raise UsageError(
            "expected five columns between tabs (label, two paper ids, two texts), found "
            f"{len(columns)}"
        )
    try:
        label = float(columns[0])
    except ValueError:
        label = float("nan")
    if label not in (0, 1):
        raise UsageError(
            "expected a row that begins with the label 0 or 1, and no header, found "
            f"{columns[0][:20]!r}"
        )
    for i, column in enumerate(columns, 1):
        strange = column.translate(None, PRINTED)
        if strange:
            raise UsageError(
                f"column {i}: expected printable ASCII, found 0x{strange[0]:02x} at byte "
                f"{column.index(strange[0]) + 1} of the column"
            )
        if i > 3 and not is_literal(column):
            raise UsageError(
                f"column {i}: expected a printed bytes literal, b'…' or b\"…\", found "
                f"{shorten(column)}"
            )
    return encode(columns[3], max_len), encode(columns[4], max_len), int(label)


def is_literal(text: bytes) -> bool:
    """Whether a text begins as a printed bytes literal and ends with its quote, not escaped."""
    inside = text[2:-1]
    backslashes = len(inside) - len(inside.rstrip(b"\\"))
    return (
        len(text) > 2
        and text[:2] in (b"b'", b'b"')
        and text[-1] == text[1]
        and backslashes % 2 == 0
    )


def shorten(text: bytes) -> str:
    return repr(text) if len(text) <= 20 else f"{text[:8]!r} … {text[-8:]!r}"
