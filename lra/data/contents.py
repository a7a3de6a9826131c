"""Which files are meant: the SHA-256 of a file, or of all that a folder holds."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from attention_zoo import UsageError
from lra.system.files import broken, sha256_of, write_json

CACHE = ".contents.json"


def contents_of(path: Path, folder: Path) -> str:
    """The SHA-256 of a file's bytes, or of a folder's sorted relative paths, each with its own.

    Remembered in `folder` until a name, a size or a time of change differs.
    """
    members = list(_members(path))
    state = hashlib.sha256(repr(members).encode()).hexdigest()
    key, known = str(path.resolve()), _remembered(folder / CACHE)
    if isinstance(known.get(key), list) and known[key][:1] == [state]:
        return known[key][1]
    if path.is_file():
        sha256 = sha256_of(path)
    else:
        whole = hashlib.sha256()
        for name, *_ in tqdm(members, desc=f"checking {path.name}", unit=" files", disable=None):
            whole.update(f"{name}\0{sha256_of(path / name)}\n".encode())
        sha256 = whole.hexdigest()
    with contextlib.suppress(OSError):  # a folder that cannot be written to costs time
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / CACHE, known | {key: [state, sha256]})
    return sha256


def _remembered(cache: Path) -> dict[str, Any]:
    try:
        known = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _members(path: Path) -> Iterator[tuple[str, int, int]]:
    """Every file, in the order of names: relative path, size, time of change."""
    if path.is_file():
        yield "", *_status(path)
    for folder, folders, names in os.walk(path, followlinks=True):
        folders.sort()
        for file in (os.path.join(folder, name) for name in sorted(names)):
            yield os.path.relpath(file, path), *_status(file)


def _status(file: str | Path) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except FileNotFoundError:
        raise UsageError(broken(Path(file))) from None
    return status.st_size, status.st_mtime_ns
