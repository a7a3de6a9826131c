"""Archives unpacked into folders that are whole or not there, whatever the archive holds."""

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from tqdm import tqdm

from attention_zoo import UsageError
from lra.system.locks import LOCK, locked

CHUNK = 1 << 16  # bytes
NAMED = 10  # top folders that a message lists
MOST = 10_000_000  # members of an archive


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
    `bound` bytes or MOST members, wanted or not.
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
                f"{archive_path}: truncated, damaged or no tar archive ({error}); remove it, and "
                "--download fetches it anew"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _extract(
    archive: Path, root: list[str], folder: Path, bound: int, skip: list[list[str]]
) -> None:
    tops: set[str] = set()
    found, count, size = False, 0, 0
    length, says = archive.stat().st_size, f"unpacking {archive.name}"
    with (
        open(archive, "rb") as raw,
        tqdm.wrapattr(raw, "read", length, desc=says, disable=None) as read,
        gzip.open(read) if raw.peek(2).startswith(b"\x1f\x8b") else nullcontext(read) as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK, tarinfo=Member) as tar,
    ):
        while (member := tar.next()) is not None:
            tar.members.clear()  # else it remembers a million files
            count, size = count + 1, size + member.size
            if size > bound or count > MOST:  # before tarfile seeks the end of a member
                raise UsageError(
                    f"{archive}: {member.name!r} brings it to {size:,} bytes in {count:,} "
                    f"members, expected at most {bound:,} in {MOST:,}"
                )
            parts = _parts(member.name)
            if member.name.startswith("/") or ".." in parts or "\0" in member.name:
                raise UsageError(f"{archive}: {member.name!r} is not a name within a folder")
            tops.update(parts[:1])
            if parts[: len(root)] == root:
                found, inner = True, parts[len(root) :]
                if not any(inner[: len(unwanted)] == unwanted for unwanted in skip):
                    _write(tar, member, inner, folder, archive)
        while stream.read(CHUNK):  # gzip's checksum stands at the end
            pass
    if not found:
        listed = [repr(top) for top in sorted(tops)[:NAMED]] + ["…"] * (len(tops) > NAMED)
        raise UsageError(
            f"{archive}: no folder {'/'.join(root)!r}; at its top are {', '.join(listed)}"
        )


def _write(
    tar: tarfile.TarFile, member: tarfile.TarInfo, inner: list[str], folder: Path, archive: Path
) -> None:
    """One member, a file or a folder, to its place in the folder."""
    if not (member.isdir() or (member.isreg() and inner)):
        kind = "a file" if member.isreg() else "a link, a device or the like"
        expected = "a file or a folder" if inner else "a folder"
        raise UsageError(f"{archive}: {member.name!r} is {kind}, expected {expected}")
    try:
        if member.isdir():  # which tarfile takes for done where a file lies
            folder.joinpath(*inner).mkdir(parents=True, exist_ok=True)
        else:
            inside = member.replace(name="/".join(inner))
            tar.extract(inside, folder, set_attrs=False, filter="data")
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"{archive}: {member.name!r} is both a file and a folder") from error
