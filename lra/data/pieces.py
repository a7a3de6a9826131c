"""Long work in pieces, each on disk when it is done: what was interrupted goes on."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lra.jobs.pool import mapper
from lra.system.files import whole

Piece = dict[str, np.ndarray]


def pieces(
    make: Callable[[int], Piece],
    numbers: Sequence[int],
    folder: Path,
    workers: int | None,
    what: str,
) -> Iterator[Piece]:
    """`make` of each number, in order, made in worker processes and kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*.partial"):
        leftover.unlink()
    with (
        mapper(workers, len(numbers)) as mapped,
        tqdm(total=len(numbers), desc=what, unit=" pieces", disable=None) as bar,
    ):
        for path in mapped(partial(_made, make, folder), numbers):
            yield _read(path)
            bar.update()


def _made(make: Callable[[int], Piece], folder: Path, number: int) -> Path:
    path = folder / f"{number:06}.npz"
    try:
        _read(path)  # which checks its sums
    except (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile):
        with whole(path) as file:
            np.savez(file, **make(number))
    return path


def _read(path: Path) -> Piece:
    with np.load(path, allow_pickle=False) as content:
        return dict(content)
