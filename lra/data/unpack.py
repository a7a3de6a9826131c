"""Archives unpacked into folders that are whole or not there, whatever the archive holds."""

import contextlib
import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from attention_zoo import UsageError
from lra.system.locks import LOCK, locked

CHUNK = 1 << 16  # bytes
RATIO = 1032  # bytes that one byte of gzip can stand for
NAMED = 10  # top folders that a message lists
KINDS = {
    tarfile.REGTYPE: "a file",
    tarfile.AREGTYPE: "a file",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}


class Member(tarfile.TarInfo):
    """A member whose header must be right: tarfile takes a bad one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:
            raise
        except (tarfile.HeaderError, ValueError) as error:  # ValueError for extended headers
            raise tarfile.ReadError(str(error)) from error


def unpack(
    archive_path: Path,
    member_root: str,
    destination: Path,
    bound: int,
    say: Callable[[str], None],
    skip: tuple[str, ...] = (),
) -> None:
    """Makes the folder `member_root` of a tar or tar.gz file the folder `destination`.

    Left alone where it exists already. The archive is read once, from end to end, and its gzip
    checksum with it. skip: folders within member_root that are not wanted. Modes and times in the
    archive are not kept.

    Raises UsageError, and leaves nothing, for: a damaged or truncated archive; one without
    member_root; any absolute name or `..`; a link, device or pipe among what is wanted; more than
    `bound` bytes of it.
    """
    with locked(destination.with_name(f".{destination.name}{LOCK}"), say):
        if destination.exists():
            return
        partial = destination.with_name(f".{destination.name}.partial")
        try:
            if partial.exists():
                shutil.rmtree(partial)  # of a process that was killed: we hold the lock
            partial.mkdir()
            _extract(archive_path, _parts(member_root), partial, bound, [*map(_parts, skip)])
            os.rename(partial, destination)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UsageError(
                f"{archive_path}: truncated, damaged or no tar archive ({error})"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _extract(
    archive: Path, root: list[str], folder: Path, bound: int, skip: list[list[str]]
) -> None:
    tops: set[str] = set()
    found, written = False, 0
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(open(archive, "rb"))
        compressed = raw.peek(2).startswith(b"\x1f\x8b")
        size = archive.stat().st_size
        bar = tqdm.wrapattr(raw, "read", size, desc=f"unpacking {archive.name}", disable=None)
        stream = stack.enter_context(bar)
        if compressed:
            stream = stack.enter_context(gzip.GzipFile(fileobj=stream, mode="rb"))
        tar = stack.enter_context(
            tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK, tarinfo=Member)
        )
        while (member := tar.next()) is not None:
            tar.members.clear()  # else it remembers a million files
            if tar.offset > RATIO * size:  # tarfile would seek its end for days
                raise tarfile.ReadError(f"{member.name!r} of {member.size:,} bytes")
            parts = _parts(member.name)
            if member.name.startswith("/") or ".." in parts or "\0" in member.name:
                raise UsageError(f"{archive}: {member.name!r} is not a name within a folder")
            tops.update(parts[:1])
            inner = parts[len(root) :]
            if parts[: len(root)] != root:
                continue
            found = True
            if any(inner[: len(unwanted)] == unwanted for unwanted in skip):
                continue
            if not (member.isdir() or (member.isreg() and inner)):
                raise UsageError(
                    f"{archive}: {member.name!r} is {KINDS.get(member.type, 'of no known kind')}, "
                    f"expected {'a file or ' if inner else ''}a folder"
                )
            written += member.size
            if written > bound:
                raise UsageError(
                    f"{archive}: {member.name!r} brings {'/'.join(root)!r} to {written:,} bytes, "
                    f"expected at most {bound:,}"
                )
            _write(tar, member, folder.joinpath(*inner), archive)
        while stream.read(CHUNK):  # gzip's checksum stands at the end
            pass
    if not found:
        listed = [repr(top) for top in sorted(tops)[:NAMED]] + ["…"] * (len(tops) > NAMED)
        raise UsageError(
            f"{archive}: no folder {'/'.join(root)!r}; at its top are {', '.join(listed)}"
        )


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, archive: Path) -> None:
    try:
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with tar.extractfile(member) as source, open(target, "wb") as file:
            shutil.copyfileobj(source, file, CHUNK)
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"{archive}: {member.name!r} is both a file and a folder") from error
