"""Writing a store: sequences as they come, then the splits that are made of them."""

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from attention_zoo import UsageError
from lra.data.pieces import pieces
from lra.data.store import DTYPES, FORMAT, METADATA, VERSION, Split
from lra.failures import RunFailure
from lra.system.files import fingerprint, sha256_of, sync_folder, write_json

Example = tuple[tuple[int, ...], int]  # numbers of its sequences, label


class Writer:
    """A store in the making, in a folder of its own.

    workers: processes that may share the work, None for one a core. notes: what whoever prepares
    or uses the data should know of them.
    """

    def __init__(self, tokens: BinaryIO, parts: Path, workers: int | None) -> None:
        self.folder, self.workers = Path(tokens.name).parent, workers
        self.notes: list[str] = []
        self._tokens, self._parts = tokens, parts
        self._numbers: dict[bytes, int] = {}  # of each sequence, by its digest
        self._ends = [0]
        _header(self._tokens, 0)

    def add(self, tokens: bytes) -> int:
        """The number of a sequence, which is stored once however often it is added."""
        digest = hashlib.blake2b(tokens, digest_size=16).digest()
        number = self._numbers.setdefault(digest, len(self._numbers))
        if number == len(self._ends) - 1:
            self._tokens.write(tokens)
            self._ends.append(self._ends[-1] + len(tokens))
        return number

    def pieces(
        self, make: Callable[[int], dict[str, np.ndarray]], numbers: Sequence[int], what: str
    ) -> Iterator[dict[str, np.ndarray]]:
        """`make` of each number, in order; those that an interrupted preparation made are kept."""
        return pieces(make, numbers, self._parts, self.workers, what)

    def splits(self, examples: dict[str, Iterable[Example]]) -> dict[str, Split]:
        """The examples over the sequences that were added; no more can be."""
        self._tokens.seek(0)
        _header(self._tokens, self._ends[-1])
        _sync(self._tokens)
        tokens = np.load(self.folder / "tokens.npy", mmap_mode="r")
        offsets = np.array(self._ends, DTYPES["offsets"])
        return {
            name: Split(
                tokens,
                offsets,
                np.array([members for members, _ in found], DTYPES["members"]),
                np.array([label for _, label in found], DTYPES["labels"]),
            )
            for name, found in examples.items()
        }


def write_store(
    writer: Writer, recipe: dict[str, Any], splits: dict[str, Split], baselines: dict[str, float]
) -> None:
    """Writes what stands beside the tokens, the metadata last."""
    arrays = {"offsets": next(iter(splits.values())).offsets}
    for name, split in splits.items():
        arrays |= {f"{name}.members": split.members, f"{name}.labels": split.labels}
    for name, array in arrays.items():
        content = io.BytesIO()  # numpy's own writing hides why a disk refuses it
        np.save(content, array, allow_pickle=False)
        with open(writer.folder / f"{name}.npy", "wb") as file:
            file.write(content.getbuffer())
            _sync(file)
    files = [f"{name}.npy" for name in ("tokens", *arrays)]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "recipe": recipe,
        "fingerprint": fingerprint(recipe),
        "counts": {name: len(split) for name, split in splits.items()},
        "baselines": baselines,
        "notes": writer.notes,
        "sha256": {name: sha256_of(writer.folder / name) for name in files},
    }
    write_json(writer.folder / METADATA, content | {"seal": fingerprint(content)})


@contextmanager
def written(path: Path, workers: int | None = None) -> Iterator[Writer]:
    """A Writer whose folder is renamed to `path` when all is on disk, and gone where that fails.

    Pieces of work stay beside it until the store is whole, or its source is refused.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    parts = path.with_name(f".{path.name}.pieces")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed process that had this number
    partial.mkdir(parents=True)
    try:
        with open(partial / "tokens.npy", "wb") as tokens:
            yield Writer(tokens, parts, workers)
    except UsageError as error:
        if not isinstance(error, RunFailure):  # made of files that are wrong or have changed
            shutil.rmtree(parts, ignore_errors=True)
        raise
    else:
        os.rename(partial, path)
        sync_folder(path.parent)
        shutil.rmtree(parts, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _header(file: BinaryIO, length: int) -> None:
    """A .npy header, which numpy pads so that the length may grow in place."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (length,)}
    )


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
