"""Finding official files, wherever in the data folder they may stand."""

import os
from collections.abc import Iterable
from pathlib import Path

from attention_zoo import UsageError
from lra.system.files import broken, kind_of

RELEASE = "lra_release"
DEPTH = 3


def require_folder(data_dir: Path) -> None:
    """Raises UsageError for a data folder that is none; it need not be there yet."""
    if kind_of(data_dir) == "broken link":
        raise UsageError(broken(data_dir))
    if kind_of(data_dir) == "file":
        raise UsageError(
            f"{data_dir} is a file, expected the folder that it lies in: --data-dir "
            f"{data_dir.parent}"
        )


def release_folders(data_dir: Path) -> list[Path]:
    """The folders lra_release, one within the other, and `data_dir` around them; innermost first.

    The archive holds a folder of its own name, whose copy is the one that LRA's users read; some
    unpackers put another around the two.
    """
    folders = [data_dir]
    while len(folders) <= DEPTH and kind_of(folders[-1] / RELEASE) == "folder":
        folders.append(folders[-1] / RELEASE)
    return folders[::-1]


def all_or_none(sets: Iterable[dict[str, Path]], what: str, kind: str = "file") -> dict[str, Path]:
    """The first of these sets of files (or folders, by `kind`) that is there, else nothing.

    Raises UsageError where some of a set are there and others are not, or are of another kind.
    """
    for paths in sets:
        found = {path: kind_of(path) for path in paths.values()}
        for path, is_ in found.items() if any(found.values()) else ():
            if is_ == "broken link":
                raise UsageError(broken(path))
            if is_ is None:
                raise UsageError(
                    f"{path} is missing beside the other official {what}: unpack or copy them again"
                )
            if is_ != kind:
                raise UsageError(f"{path} is a {is_}, expected a {kind}")
        if any(found.values()):
            return paths
    return {}


def folder_of(files: dict[str, Path]) -> Path:
    """The folder in which official files were found."""
    return Path(os.path.commonpath(files.values()))
