"""The types of arguments: numbers, durations, sizes, paths, names; a mistake says what was expected
and came."""

import argparse
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from attention_zoo.errors import quoted, unknown

MOST = 10**9  # of anything that is counted
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
BYTES = {"M": 10**6, "G": 10**9, "T": 10**12}
LONGEST = 255  # bytes of a name, on the usual file systems


def _whole(text: str, least: int, what: str) -> int:
    try:
        value = int(text)
    except ValueError:  # also where Python refuses to read so many digits
        value = least - 1 if len(text) <= len(str(MOST)) else MOST + 1
    if value < least or value > MOST:
        most = f", at most {MOST:,}" if value > MOST else ""
        raise argparse.ArgumentTypeError(f"must be {what}{most}, not {quoted(text)}")
    return value


positive = partial(_whole, least=1, what="a positive integer")
not_negative = partial(_whole, least=0, what="an integer of 0 or more")
# Of one token some products are by element.
length = partial(_whole, least=2, what="an integer of 2 or more")


def _quantity(text: str, units: dict[str, int], what: str, examples: str, most: float) -> float:
    found = re.fullmatch(r"(\d+\.?\d*)\s*([A-Za-z]+)", text)
    value = float(found[1]) * units.get(found[2], 0) if found else 0.0
    if not 1 <= value <= most:
        raise argparse.ArgumentTypeError(f"invalid {what} {quoted(text)}; use e.g. {examples}")
    return value


def seconds(text: str) -> float:
    return _quantity(text, UNITS, "duration", "90s, 30min or 8h", 10 * 365 * UNITS["d"])


def size(text: str) -> int:
    return int(_quantity(text, BYTES, "size", "500M or 8G", 1_000 * BYTES["T"]))


def ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of 1 or more, not {quoted(text)}")
    return value


def fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"must be a number above 0 and at most 1, not {quoted(text)}"
        )
    if round(value, 4) != value:  # more would look the same in folder names and tables
        raise argparse.ArgumentTypeError(f"must have at most 4 decimals, unlike {quoted(text)}")
    return value


def one_of(kind: str, known: Iterable[str]) -> Callable[[str], str]:
    """The type of an argument that may be given many times, or not at all."""

    def name(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(str(unknown(kind, text, known)))
        return text

    return name


def name(text: str) -> str:
    """What could be a path, as it was typed."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    if any(len(part.encode(errors="surrogateescape")) > LONGEST for part in text.split("/")):
        raise argparse.ArgumentTypeError(f"the name {quoted(text)} is too long")
    return text


def folder(text: str) -> Path:
    path = Path(name(text))
    there = next((part for part in (path, *path.parents) if os.path.exists(part)), path)
    if os.path.exists(there) and not there.is_dir():
        raise argparse.ArgumentTypeError(
            f"{there} is a file, expected a folder such as {there.parent}"
        )
    return path


def existing_folder(text: str) -> Path:
    path = folder(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path}: there is no such folder")
    return path


def file(text: str) -> Path:
    path = Path(name(text))
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder, expected a file")
    return path
