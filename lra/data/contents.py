"""Which files are meant: the SHA-256 of a file, or of all that a folder holds."""

import hashlib
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from lra.system.files import sha256_of, write_json

CACHE = ".contents.json"


def contents_of(path: Path, cache: Path) -> str:
    """The SHA-256 of a file's bytes, or of a folder's sorted relative paths, each with its own.

    Remembered in the folder `cache` until a name, a size or a time of change differs.
    """
    members = list(_members(path))
    state = hashlib.sha256(repr(members).encode()).hexdigest()
    return _contents(path.resolve(), cache / CACHE, state, tuple(name for name, *_ in members))


@lru_cache
def _contents(path: Path, cache: Path, state: str, names: tuple[str, ...]) -> str:
    try:
        known = json.loads(cache.read_bytes())
        before, sha256 = known.get(str(path), ("", ""))
    except (OSError, ValueError, AttributeError, TypeError):
        known, before, sha256 = {}, "", ""
    if before == state:
        return sha256
    if names == ("",):
        sha256 = sha256_of(path)
    else:
        whole = hashlib.sha256()
        for name in tqdm(names, desc=f"checking {path.name}", unit=" files", disable=None):
            whole.update(f"{name}\0{sha256_of(path / name)}\n".encode())
        sha256 = whole.hexdigest()
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_json(cache, known | {str(path): [state, sha256]})
    except OSError:
        pass  # a folder that cannot be written to costs time, nothing else
    return sha256


def _members(path: Path) -> Iterator[tuple[str, int, int]]:
    """Every file, in the order of names: relative path, size, time of change."""
    if path.is_file():
        status = os.stat(path)
        yield "", status.st_size, status.st_mtime_ns
        return
    for folder, folders, _ in os.walk(path, followlinks=True):
        folders.sort()
        with os.scandir(folder) as entries:
            found = {entry.name: entry.stat() for entry in entries if not entry.is_dir()}
        for name in sorted(found):
            relative = os.path.relpath(os.path.join(folder, name), path)
            yield relative, found[name].st_size, found[name].st_mtime_ns
