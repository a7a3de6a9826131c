"""Ragged token sequences on disk: memory-mapped arrays and a metadata file that vouches for them.

`tokens` (uint8) holds all sequences end to end, each once, `offsets` (int64) where each begins, and
the end. A split is `members` (int32, n × S: the sequences of each example) and `labels` (uint8, n).
A store is a folder that is whole or not there.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo import UsageError
from lra.system.files import fingerprint, sha256_of

FORMAT = "lra-gfsa ragged tokens"
VERSION = 2
DTYPES = {"tokens": np.uint8, "offsets": np.int64, "members": np.int32, "labels": np.uint8}
METADATA = "metadata.json"


@dataclass(frozen=True)
class Split:
    tokens: np.ndarray  # (Σ length,) uint8, of all splits
    offsets: np.ndarray  # (sequences + 1,) int64
    members: np.ndarray  # (n, S) int32
    labels: np.ndarray  # (n,) uint8

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[list[np.ndarray], int]:
        starts, ends = self.offsets[self.members[i]], self.offsets[self.members[i] + 1]
        return [self.tokens[a:b] for a, b in zip(starts, ends, strict=True)], int(self.labels[i])

    @property
    def lengths(self) -> np.ndarray:  # (n, S)
        return np.diff(self.offsets)[self.members]


@dataclass(frozen=True)
class Store:
    path: Path
    recipe: dict[str, Any]
    fingerprint: str
    baselines: dict[str, float]
    notes: list[str]
    splits: dict[str, Split]
    sha256: dict[str, str]


def open_store(path: Path, recipe: dict[str, Any], *, verify: bool = True) -> Store:
    """The store at `path`, verified against its metadata, which vouch for every array, and the
    recipe it must have.

    verify: whether its bytes are read for it, which is done once a command.

    Raises UsageError naming the first file that is missing, altered, truncated or not ours.
    """
    metadata = _read_metadata(path / METADATA)
    if metadata["recipe"] != recipe or metadata["fingerprint"] != fingerprint(recipe):
        raise _refusal(path / METADATA, "belongs to other data")
    arrays = {}
    for name, sha256 in metadata["sha256"].items():
        if not (path / name).is_file():
            raise _refusal(path / name, "is missing")
        if verify and sha256_of(path / name) != sha256:
            raise _refusal(path / name, f"does not have the SHA-256 that {METADATA} gives")
        arrays[name] = np.load(path / name, mmap_mode="r", allow_pickle=False)
    shared = arrays["tokens.npy"], arrays["offsets.npy"]
    splits = {
        name: Split(*shared, arrays[f"{name}.members.npy"], arrays[f"{name}.labels.npy"])
        for name in metadata["counts"]
    }
    known = (metadata[key] for key in ("fingerprint", "baselines", "notes"))
    return Store(path, recipe, *known, splits, metadata["sha256"])


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
    if metadata.pop("seal", None) != fingerprint(metadata):
        raise _refusal(path, "was altered: its contents do not have the fingerprint it gives")
    return metadata


def _refusal(file: Path, what: str) -> UsageError:
    return UsageError(f"{file} {what}; remove {file.parent} and prepare the data again")
