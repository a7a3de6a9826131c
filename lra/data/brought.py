"""What people put into a data folder besides official files that can be read as they lie there."""

import os
import re
import shlex
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from attention_zoo import UsageError
from lra.data.dataset import Dataset, Settings
from lra.data.official import release_folders
from lra.system.files import broken, kind_of

# Names of files, in any case, where {stem} is that of the archive or of the folder in it.
ARCHIVE = r"{stem}(\.tar|\.tar\.gz|\.tgz|\.gz)?"
LEFT = {  # by downloads and unpackers, and what to do about it
    r"{stem}\.zip": "is a zip archive, which is not read: unpack it there, and remove it",
    r"\.?{stem}\b.*\.(crdownload|part|partial|download)": "is an unfinished download: complete it "
    "as {archive}, as `prepare --download` does, or remove it",
    r"{stem}(\.tar)? ?\(\d+\)((\.tar)?\.gz|\.tgz|\.tar)|{stem}(\.tar)?\.gz\.\d+": "seems to be the "
    "archive {archive} under another name: `{move}`, or remove it",
}


@dataclass(frozen=True)
class Brought:
    """What lies in `data_dir` that is meant for the official files of a task."""

    task: Dataset
    settings: Settings
    data_dir: Path

    @cached_property
    def root(self) -> list[str]:
        """The folders around the files, in the archive and in the data folder."""
        return self.task.root(self.settings).split("/")

    @cached_property
    def inner(self) -> list[str]:
        """Those of them that do not have the archive's own name."""
        return self.root[self.root.count(self.root[0]) :]

    def archive(self) -> Path | None:
        """The file that is the task's archive: as published, or else under one of its usual names,
        compressed or not, which may be that of the folder in it."""
        for path in sorted(self._files(ARCHIVE), key=lambda p: p.name != self.task.archive.name):
            # What has the name of an archive is checked later; a name alone may be of anything.
            if path.stat().st_size and (path.suffix or tarfile.is_tarfile(path)):
                return path
        return None

    def obstacle(self, fetch: bool = False) -> str | None:
        """Why what is there cannot be taken for official files, though it seems to be meant for
        them; None where there is nothing of the kind. fetch: the archive is to be downloaded, for
        which an unfinished download is no obstacle."""
        if kind_of(self.data_dir) is None:
            return None
        found = (*self._left(fetch), *self._outside(), *self._folders())
        return next(iter(found), None)

    def destination(self) -> Path:
        """Where the archive's folder goes: its own place, or without the folders around it where a
        file lies in the place of one of these. UsageError where that leaves no place."""
        for parts in filter(None, (self.root, self.inner)):
            place = self.data_dir.joinpath(*parts)
            if not any(kind_of(path) == "file" for path in (place, *place.parents)):
                return place
        raise UsageError(
            f"{place} is a file, expected a folder: move it elsewhere (an archive may be called "
            f"{place.name}.tar)"
        )

    def _files(self, names: str) -> Iterator[Path]:
        """The files of these names in `data_dir` or in a folder of the archive's name in it."""
        stems = re.sub(r"(\.tar)?\.gz$", "", self.task.archive.name), self.root[0]
        pattern = names.replace("{stem}", f"({'|'.join(map(re.escape, stems))})")
        folders = [self.data_dir, self.data_dir / self.root[0], *release_folders(self.data_dir)]
        for folder in dict.fromkeys(folders):
            for name in sorted(os.listdir(folder)) if kind_of(folder) == "folder" else ():
                matches = re.fullmatch(pattern, name, re.IGNORECASE)
                if matches and kind_of(folder / name) == "file":
                    yield folder / name

    def _left(self, fetch: bool) -> Iterator[str]:
        for path in self._files(ARCHIVE):
            if not path.stat().st_size:
                yield f"{path} is an empty file: remove it"
        archive = self.task.archive.name
        for names, words in LEFT.items():
            for path in self._files(names):
                if not (fetch and "unfinished" in words):
                    move = _move(path, self.data_dir / archive)
                    yield f"{path} {words.format(archive=archive, move=move)}"

    def _outside(self) -> Iterator[str]:
        """Where `data_dir` is one of the folders around the files."""
        around = folder = self.data_dir.resolve()
        while around.name in self.inner:
            around = around.parent
        if around != folder:
            yield f"{self._none(self.data_dir)}, or try --data-dir {around}"

    def _folders(self) -> Iterator[str]:
        """What is wrong on the way down to where the files would be, with all, some or none of the
        folders of the archive's own name."""
        for start in range(min(len(self.root) - len(self.inner) + 1, len(self.root))):
            path = self.data_dir
            for part in self.root[start:]:
                above, path = path, path / part
                kind = kind_of(path)
                if kind == "broken link":
                    yield broken(path)
                elif kind == "file":
                    yield f"{path} is a file and no archive, expected a folder: move it elsewhere"
                elif kind == "folder" and not os.listdir(path):
                    yield f"{path} is an empty folder: fill it with official files, or remove it"
                elif kind is None:
                    for name in os.listdir(above):
                        if name.casefold() == part.casefold():
                            move = _move(above / name, path)
                            yield f"{above / name} is not {part}, in upper and lower case: `{move}`"
                if kind != "folder":
                    break
            else:
                yield f"{self._none(path)}, or remove it"

    def _none(self, folder: Path) -> str:
        name = self.task.metadata.name
        return f"{folder} holds none of the official files of {name}: complete it"


def _move(path: Path, to: Path) -> str:
    return shlex.join(["mv", str(path), str(to)])
