"""Archives from their publishers: continued where they stopped, checked, whole or not there."""

import gzip
import os
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from attention_zoo import UsageError
from lra.data.archives import Archive
from lra.system.files import sha256_of
from lra.system.locks import LOCK, locked

CONNECT_TIMEOUT = 20.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a byte
WAITS = (1.0, 5.0, 20.0, 60.0)  # seconds before each new attempt, from the last that got further
CHUNK = 1 << 16  # bytes; what a stall may lose


def download(archive: Archive, data_dir: Path, say: Callable[[str], None]) -> Path:
    """The archive in `data_dir`, fetched unless it is there, by one process at a time.

    What was interrupted is kept in `.<name>.partial`, and the next call goes on from there.
    Raises UsageError where the publisher does not give it, or where its size or checksum are
    wrong: what was fetched is removed then, but a file that was there before never is.
    """
    import pooch

    path = data_dir / archive.name
    with locked(data_dir / f".{archive.name}{LOCK}", say):
        if path.exists():
            problem = _problem(archive, path)
            if problem:
                raise UsageError(f"{path}: {problem}; remove it, and it is fetched anew")
            return path
        say(f"downloading {archive.description}")
        pooch.get_logger().setLevel("WARNING")
        cache = pooch.create(
            path=data_dir.resolve(),
            base_url="",
            registry={archive.name: archive.md5 and f"md5:{archive.md5}"},
            urls={archive.name: archive.url},
        )
        try:
            cache.fetch(archive.name, downloader=Resuming(archive, data_dir, say))
        except UsageError:
            raise
        except ValueError as error:  # pooch's for a wrong checksum; it has removed the file
            raise UsageError(f"{archive.url}: {error}") from error
        if archive.md5 is None:
            say(f"{path}: sha256 {sha256_of(path)}, to compare with others': none is published")
        return path


def _problem(archive: Archive, path: Path) -> str | None:
    """What is wrong with a file that should be the archive."""
    import pooch

    size = path.stat().st_size
    if size not in archive.sizes:
        return f"expected {archive.size_text}, found {size:,}"
    if archive.md5:
        found = pooch.file_hash(path, "md5")
        return None if found == archive.md5 else f"expected the md5 {archive.md5}, found {found}"
    try:
        with gzip.open(path) as file:
            file.read(1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"expected a gzip file ({error})"
    return None


class Resuming:
    """A downloader for pooch, over HTTP, which goes on where the last attempt or process stopped.

    A server that does not know ranges is asked for everything anew. Gives up where len(WAITS) new
    attempts in a row got no further, and at once where the first cannot connect.
    """

    def __init__(self, archive: Archive, data_dir: Path, say: Callable[[str], None]) -> None:
        self.archive = archive
        self.say = say
        self.partial = data_dir / f".{archive.name}.partial"
        self.received = False  # anything, in this process

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests
        import urllib3

        os.unlink(output_file)  # pooch made it, and would leave it where this process is killed
        name, total = self.archive.name, self.archive.size
        furthest, in_vain = self._have(), 0
        with tqdm(total=total, desc=name, unit="B", unit_scale=True, disable=None) as bar:
            while True:
                try:
                    self._attempt(url, bar)
                    break
                except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                    reason = self._reason(url, error)
                have = self._have()
                furthest, in_vain = max(furthest, have), 0 if have > furthest else in_vain
                if in_vain == len(WAITS):
                    raise UsageError(
                        f"{url}: {reason}; {in_vain} new attempts got no further, the {have:,} "
                        "bytes that came are kept and the same command goes on from there"
                    )
                self.say(f"{name}: {reason}; {have:,} bytes came, again in {WAITS[in_vain]:g} s")
                time.sleep(WAITS[in_vain])
                in_vain += 1
        problem = None if self.archive.md5 else _problem(self.archive, self.partial)
        if problem:
            self._refuse(url, problem)
        os.replace(self.partial, output_file)

    def _have(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _refuse(self, url: str, problem: str) -> None:
        self.partial.unlink(missing_ok=True)
        raise UsageError(f"{url}: {problem}; what was fetched is removed")

    def _attempt(self, url: str, bar: tqdm) -> None:
        """Leaves everything in the partial file, or raises."""
        import requests

        have, sizes = self._have(), self.archive.sizes
        if len(sizes) == 1 and have in sizes:
            return
        headers = {"Accept-Encoding": "identity"}  # bytes as they are stored, which ranges count
        if have:
            headers["Range"] = f"bytes={have}-"
        timeout = CONNECT_TIMEOUT, READ_TIMEOUT
        with requests.get(url, headers=headers, timeout=timeout, stream=True) as response:
            status = response.status_code
            start, total = _extent(response)
            if total is not None and total not in sizes:
                self._refuse(url, f"expected {self.archive.size_text}, found {total:,}")
            if status == 416 and total == have:
                return
            if status == 416 or (status == 206 and start != have):
                self.partial.unlink(missing_ok=True)
                raise requests.ConnectionError(f"the server has no bytes from {have:,} on")
            if status >= 500 or status in (408, 429):
                raise requests.ConnectionError(f"HTTP {status} {response.reason}")
            if status not in (200, 206):
                raise UsageError(
                    f"{url}: HTTP {status} {response.reason}; "
                    f"a copy from elsewhere goes to {self.partial.with_name(self.archive.name)}"
                )
            with open(self.partial, "ab" if status == 206 else "wb") as file:
                bar.total, bar.n = total or bar.total, start
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    file.write(chunk)
                    bar.update(len(chunk))
                    self.received = True
                    if file.tell() >= sizes.stop:
                        self._refuse(url, f"expected {self.archive.size_text}, found more")
                have = file.tell()
        if have != total and (total is not None or have not in sizes):
            raise requests.ConnectionError(f"the connection ended after {have:,} bytes")

    def _reason(self, url: str, error: Exception) -> str:
        """Why an attempt failed, in few words; UsageError where another is no use."""
        import requests
        import urllib3

        chain: list[BaseException] = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
            chain.append(cause)
        reason = str(chain[-1]) or type(chain[-1]).__name__
        passing = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
        unconnected = (
            urllib3.exceptions.NewConnectionError,
            requests.exceptions.SSLError,
            requests.exceptions.ProxyError,
        )
        if not isinstance(error, passing) or (
            not self.received and any(isinstance(link, unconnected) for link in chain)
        ):
            raise UsageError(f"{url}: {reason}") from error
        return reason


def _extent(response: Any) -> tuple[int | None, int | None]:
    """First byte and total number of bytes that a response is about; None where it is unsaid."""
    if response.status_code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    said = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+)?", response.headers.get("Content-Range", ""))
    first, total = said.groups() if said else (None, None)
    return int(first) if first else None, int(total) if total else None
