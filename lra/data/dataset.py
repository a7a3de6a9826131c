"""What preparing data knows of a task, which lra.tasks.Task is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Settings = Any  # a frozen dataclass with source, deciding and max_len


@dataclass(frozen=True)
class Archive:
    """An archive at its publisher's.

    name: its file name in the data folder. size: bytes, exact where there is a checksum.
    md5: hexadecimal, None where no checksum is published. unpacked: the most bytes that unpacking
    may write. unwanted: folders of it that no task reads.
    """

    name: str
    url: str
    size: int
    md5: str | None
    unpacked: int
    unwanted: tuple[str, ...] = ()

    @property
    def sizes(self) -> range:
        """The sizes in bytes that the file may have: without a checksum, an eighth about `size`."""
        slack = 0 if self.md5 else self.size // 8
        return range(self.size - slack, self.size + slack + 1)

    @property
    def size_text(self) -> str:
        return f"{'' if self.md5 else 'about '}{self.size:,} bytes"

    @property
    def description(self) -> str:
        """One line: what, from where, how large, and its checksum."""
        checksum = f"md5 {self.md5}" if self.md5 else "no checksum is published"
        return f"{self.name} from {self.url}, {self.size_text}, {checksum}"


def majority(splits: Mapping[str, Any]) -> dict[str, float]:
    """Test accuracy of the most frequent training label."""
    import numpy as np

    answer = np.bincount(splits["train"].labels).argmax()
    return {"majority class": float((splits["test"].labels == answer).mean())}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Where a task's examples come from.

    metadata: with `name`, `version` and `layout`. settings: the class of its settings, whose DECIDE
    has its sources. examples: `(settings, files, Writer) -> {split: [Example]}`, deterministic in
    the settings and, where settings.source is official, the contents of the files. baselines:
    `{split: Split} -> {rule: accuracy}`, on the test split, of rules that read next to nothing.

    Where there are official files: official: `(data_dir, settings) -> {name: file or folder}`,
    those that a folder holds, else nothing. archive, root: the file in which they are distributed,
    and the folder in it, and then in the data folder, that holds them.
    """

    metadata: Any
    settings: Any
    examples: Callable[[Settings, dict[str, Path], Any], Mapping[str, Sequence[Any]]]
    baselines: Callable[[dict[str, Any]], dict[str, float]] = majority
    official: Callable[[Path, Settings], dict[str, Path]] | None = None
    archive: Archive | None = None
    root: Callable[[Settings], str] | None = None

    @property
    def generates(self) -> bool:
        """Whether source=auto draws the data where there are no official files."""
        return "generated" in self.settings.DECIDE
