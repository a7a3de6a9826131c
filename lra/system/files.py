"""Files that are whole or not there."""

import errno
import hashlib
import json
import os
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from attention_zoo.errors import UsageError, one_line


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write; on leaving it is synced and takes the place of `path`.

    An exception on the way, a full disk say, leaves `path` as it was and nothing beside it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes renames in `folder` outlast a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with whole(path) as file:
        file.write(text.encode())


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """The table in a file that a user gave to an option; UsageError where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # damaged TOML, bytes that are not UTF-8
        raise UsageError(f"{path}: {one_line(error)}") from None


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(content: Any) -> str:
    """16 hex digits of the SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def kind_of(path: Path) -> Literal["file", "folder", "broken link"] | None:
    """What a path leads to, None where nothing is there.

    Raises OSError where that cannot be found out: a folder without permission is not an empty one.
    """
    try:
        return "folder" if stat.S_ISDIR(os.stat(path).st_mode) else "file"
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return "broken link" if path.is_symlink() else None


def broken(link: Path) -> str:
    """The words for a symbolic link that leads nowhere."""
    return f"{link} is a symbolic link to {os.readlink(link)}, which does not exist"
