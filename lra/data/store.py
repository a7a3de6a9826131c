"""Ragged token sequences on disk: memory-mapped arrays and a metadata file that vouches for them.

A split is three arrays: `tokens` (uint8, all sequences end to end), `offsets` (int64, n + 1) and
`labels` (uint8, n). A store is a folder that is whole or not there.
"""

import io
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo import UsageError
from lra.system.files import fingerprint, sha256_of, sync_folder, write_json

FORMAT = "lra-gfsa ragged tokens"
VERSION = 1
ARRAYS = {"tokens": np.uint8, "offsets": np.int64, "labels": np.uint8}
METADATA = "metadata.json"


@dataclass(frozen=True)
class Split:
    tokens: np.ndarray  # (Σ length,) uint8
    offsets: np.ndarray  # (n + 1,) int64
    labels: np.ndarray  # (n,) uint8

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        return self.tokens[self.offsets[i] : self.offsets[i + 1]], int(self.labels[i])

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @classmethod
    def of(cls, examples: Sequence[tuple[bytes, int]]) -> "Split":
        lengths = np.fromiter((len(tokens) for tokens, _ in examples), np.int64, len(examples))
        return cls(
            np.frombuffer(b"".join(tokens for tokens, _ in examples), np.uint8),
            np.concatenate([np.zeros(1, np.int64), lengths.cumsum()]),
            np.fromiter((label for _, label in examples), np.uint8, len(examples)),
        )


@dataclass(frozen=True)
class Store:
    path: Path
    recipe: dict[str, Any]
    fingerprint: str
    baselines: dict[str, float]
    splits: dict[str, Split]


def write_store(
    path: Path, recipe: dict[str, Any], splits: dict[str, Split], baselines: dict[str, float]
) -> None:
    """Writes a store in a folder beside `path` and renames it into place when all is on disk."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed process that had this number
    partial.mkdir(parents=True)
    try:
        members = {}
        for split, arrays in splits.items():
            for array in ARRAYS:
                name = f"{split}.{array}.npy"
                content = io.BytesIO()  # numpy's own writing hides why a disk refuses it
                np.save(content, getattr(arrays, array), allow_pickle=False)
                with open(partial / name, "wb") as file:
                    file.write(content.getbuffer())
                    file.flush()
                    os.fsync(file.fileno())
                members[name] = sha256_of(partial / name)
        content = {
            "format": FORMAT,
            "version": VERSION,
            "recipe": recipe,
            "fingerprint": fingerprint(recipe),
            "counts": {split: len(arrays) for split, arrays in splits.items()},
            "baselines": baselines,
            "sha256": members,
        }
        write_json(partial / METADATA, content | {"seal": fingerprint(content)})
        os.rename(partial, path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def open_store(path: Path, recipe: dict[str, Any]) -> Store:
    """The store at `path`, verified against its metadata and the recipe it must have.

    Raises UsageError naming the first file that is missing, altered, truncated or not ours.
    """
    metadata = _read_metadata(path / METADATA)
    if metadata["recipe"] != recipe or metadata["fingerprint"] != fingerprint(recipe):
        raise _refusal(path / METADATA, "belongs to other data")
    splits = {}
    for split, count in metadata["counts"].items():
        arrays = {array: _read_member(path, f"{split}.{array}.npy", metadata) for array in ARRAYS}
        splits[split] = Split(**arrays)
        offsets = arrays["offsets"]
        if not (
            len(arrays["labels"]) == count == len(offsets) - 1
            and offsets[0] == 0
            and offsets[-1] == len(arrays["tokens"])
            and (np.diff(offsets) > 0).all()
        ):
            raise _refusal(path / f"{split}.offsets.npy", "does not fit the other arrays")
    return Store(path, recipe, metadata["fingerprint"], metadata["baselines"], splits)


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _refusal(path, "is missing") from None
    except ValueError:
        raise _refusal(path, "is no JSON") from None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise _refusal(path, "was not written by this suite")
    if metadata.get("version") != VERSION:
        raise _refusal(path, f"has version {metadata.get('version')!r}, not {VERSION}")
    seal = metadata.pop("seal", None)
    if seal != fingerprint(metadata):
        raise _refusal(path, "was altered: its contents do not have the fingerprint it gives")
    return metadata


def _read_member(path: Path, name: str, metadata: dict[str, Any]) -> np.ndarray:
    file = path / name
    if not file.is_file():
        raise _refusal(file, "is missing")
    if sha256_of(file) != metadata["sha256"].get(name):
        raise _refusal(file, f"does not have the SHA-256 that {METADATA} gives")
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    if array.dtype != ARRAYS[name.split(".")[1]] or array.ndim != 1:
        raise _refusal(file, "holds another kind of array")
    return array


def _refusal(file: Path, what: str) -> UsageError:
    return UsageError(f"{file} {what}; remove {file.parent} and prepare the data again")
