"""Archives from their publishers: continued where they stopped, checked, whole or not there."""

import gzip
import hashlib
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from attention_zoo import UsageError
from lra.data.dataset import Archive
from lra.system.files import sha256_of
from lra.system.locks import LOCK, locked

CONNECT_TIMEOUT = 20.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a byte
WAITS = (1.0, 5.0, 20.0, 60.0)  # seconds before each new attempt, from the last that got further
CHUNK = 1 << 16  # bytes; what a stall may lose


class Again(Exception):
    """An attempt that failed, after which another may do."""


def download(archive: Archive, data_dir: Path, say: Callable[[str], None]) -> Path:
    """The archive in `data_dir`, fetched unless it is there, by one process at a time.

    What was interrupted is kept in `.<name>.partial`, and the next call goes on from there.
    Raises UsageError where the publisher does not give it, or where its size or checksum are
    wrong: what was fetched is removed then, but a file that was there before never is.
    """
    path, partial = data_dir / archive.name, data_dir / f".{archive.name}.partial"
    with locked(data_dir / f".{archive.name}{LOCK}", say):
        if path.exists():
            return checked(archive, path)
        say(f"downloading {archive.description}")
        _fetch(archive, partial, say)
        problem = _problem(archive, partial)
        if problem:
            partial.unlink()
            raise UsageError(f"{archive.url}: {problem}; what was fetched is removed")
        os.replace(partial, path)
        if archive.md5 is None:
            say(f"{path}: sha256 {sha256_of(path)}, to compare with others': none is published")
        return path


def checked(archive: Archive, path: Path) -> Path:
    """`path`; UsageError where its size or checksum are not the archive's."""
    problem = _problem(archive, path)
    if problem:
        raise UsageError(f"{path}: {problem}; remove it, and --download fetches it anew")
    return path


def _problem(archive: Archive, path: Path) -> str | None:
    """What is wrong with a file that should be the archive."""
    size = path.stat().st_size
    if size not in archive.sizes:
        return f"expected {archive.size_text}, found {size:,}"
    with open(path, "rb") as file:
        if archive.md5:
            found = hashlib.file_digest(file, "md5").hexdigest()
            right = found == archive.md5
            return None if right else f"expected the md5 {archive.md5}, found {found}"
        try:
            gzip.GzipFile(fileobj=file).read(1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            return f"expected a gzip file ({error})"
    return None


def _fetch(archive: Archive, partial: Path, say: Callable[[str], None]) -> None:
    """Leaves in the partial file what the publisher has. Gives up where len(WAITS) new attempts in
    a row got no further, and at once where nothing has come and nobody answers."""
    import requests
    import urllib3

    began = furthest = have = partial.stat().st_size if partial.exists() else 0
    in_vain = 0
    with tqdm(
        total=archive.size, desc=archive.name, unit="B", unit_scale=True, disable=None
    ) as bar:
        while True:
            try:
                return _attempt(archive, partial, have, bar)
            except (requests.RequestException, urllib3.exceptions.HTTPError, Again) as error:
                reason = _innermost(error)
                have = partial.stat().st_size if partial.exists() else 0
                if isinstance(error, requests.RequestException) and have == began:
                    raise UsageError(f"{archive.url}: {reason}") from error
            if have > furthest:
                furthest, in_vain = have, 0
            if in_vain == len(WAITS):
                raise UsageError(
                    f"{archive.url}: {reason}; {in_vain} new attempts got no further, the "
                    f"{have:,} bytes that came are kept and the same command goes on from there"
                )
            say(f"{archive.name}: {reason}; {have:,} bytes came, again in {WAITS[in_vain]:g} s")
            time.sleep(WAITS[in_vain])
            in_vain += 1


def _innermost(error: BaseException) -> str:
    """The words of what caused an error first."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def _attempt(archive: Archive, partial: Path, have: int, bar: tqdm) -> None:
    """Asks for what is missing. A server that does not know ranges is asked for everything anew."""
    import requests

    url, sizes = archive.url, archive.sizes
    if len(sizes) == 1 and have in sizes:
        return
    have = 0 if have >= sizes.stop else have
    headers = {"Accept-Encoding": "identity"}  # bytes as they are stored, which ranges count
    if have:
        headers["Range"] = f"bytes={have}-"
    timeout = CONNECT_TIMEOUT, READ_TIMEOUT
    with requests.get(url, headers=headers, timeout=timeout, stream=True) as response:
        status, length = response.status_code, response.headers.get("Content-Length", "")
        if status == 416:
            return  # it has no more
        if status >= 500 or status in (408, 429):
            raise Again(f"HTTP {status} {response.reason}")
        if status not in (200, 206):
            raise UsageError(
                f"{url}: HTTP {status} {response.reason}; "
                f"a copy from elsewhere goes to {partial.with_name(archive.name)}"
            )
        theirs = response.headers.get("Content-Range", "")
        if status == 206 and not theirs.startswith(f"bytes {have}-"):
            partial.unlink(missing_ok=True)
            raise Again(f"the server has no bytes from {have:,} on")
        came, bar.n = 0, have if status == 206 else 0
        with open(partial, "ab" if status == 206 else "wb") as file:
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                came += file.write(chunk)
                bar.update(len(chunk))
                if file.tell() >= sizes.stop:
                    return  # too much, as who checks it says
            have = file.tell()
    if str(came) != length and have not in sizes:
        raise Again(f"the connection ended after {have:,} bytes")
