"""Archives fetched over HTTP, from a server on this machine that misbehaves as told."""

import gzip
import hashlib
import random
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import Mock

import pytest

from attention_zoo import UsageError
from lra.data import download as module
from lra.data.dataset import Archive
from lra.data.download import download
from lra.seeds import derive
from lra.system.locks import locked
from lra.tasks.image import CIFAR_10
from lra.tasks.shared import LRA_RELEASE
from lra.tasks.text import ACL_IMDB

CONTENT = random.Random(derive(0, "test", "download")).randbytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
UNKNOWN_HOST = Mock(side_effect=socket.gaierror(socket.EAI_NONAME, "Name or service not known"))


class Handler(BaseHTTPRequestHandler):
    """Answers with the first of the server's `behaviours`, the last of which stays."""

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        behaviour = server.behaviours[0]
        del server.behaviours[: len(server.behaviours) > 1]
        total = len(server.content)
        if isinstance(behaviour, int):
            return self.send_error(behaviour)
        if behaviour == "redirect forever" or (behaviour, self.path) == ("redirect", "/a"):
            return self.answer(302, {"Location": "/elsewhere"})
        if behaviour == "ignore range":
            asked = None
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if start >= total:
            return self.answer(416, {"Content-Range": f"bytes */{total}"})
        if behaviour == "another range":
            start = 0
        headers = {"Content-Range": f"bytes {start}-{total - 1}/{total}"} if asked else {}
        if behaviour == "says gzip":
            headers["Content-Encoding"] = "gzip"
        if behaviour != "no length":
            headers["Content-Length"] = str(total - start)
        broken = behaviour in ("truncate", "stall")
        self.answer(206 if asked else 200, headers)
        self.wfile.write(server.content[start : start + 100_000 if broken else None])
        if behaviour == "stall":
            server.released.wait(10)
        return None

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "WAITS", (0.01, 0.01))
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.3)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.behaviours, server.asked, server.content = [200], [], CONTENT
    server.released = threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def archive(server, md5=MD5, size=300_000):
    return Archive("a.tar.gz", f"http://127.0.0.1:{server.server_port}/a", size, md5, 10**6)


def fetch(server, folder, *behaviours, say=print, **kwargs):
    server.behaviours[:] = behaviours
    return download(archive(server, **kwargs), folder, say)


def refusal(server, folder, *behaviours, **kwargs):
    """The message, which must be one line that begins with the address or a path."""
    with pytest.raises(UsageError) as raised:
        fetch(server, folder, *behaviours, **kwargs)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith((f"{archive(server).url}: ", f"{folder}/a.tar.gz: "))
    return str(raised.value)


def files(folder):
    return {path.name for path in folder.iterdir()} - {".a.tar.gz.lock"}


@pytest.mark.parametrize("behaviour", ["plain", "no length", "says gzip", "redirect"])
def test_an_archive_is_fetched_once_as_the_server_stores_it(server, tmp_path, behaviour):
    path = fetch(server, tmp_path / "data", behaviour)
    assert path == tmp_path / "data" / "a.tar.gz" and path.read_bytes() == CONTENT
    assert files(tmp_path / "data") == {"a.tar.gz"}
    server.asked.clear()
    assert fetch(server, tmp_path / "data", 500) == path
    assert server.asked == []


@pytest.mark.parametrize(
    ("content", "found"),
    [(CONTENT[:-1], "found 299,999"), (CONTENT[::-1], hashlib.md5(CONTENT[::-1]).hexdigest())],
)
def test_a_wrong_file_of_the_users_is_refused_and_kept(server, tmp_path, content, found):
    (tmp_path / "a.tar.gz").write_bytes(content)
    assert found in refusal(server, tmp_path, "plain")
    assert (tmp_path / "a.tar.gz").read_bytes() == content
    assert server.asked == []


@pytest.mark.parametrize("broken", ["truncate", "stall"])
def test_a_broken_connection_goes_on_where_it_stopped(server, tmp_path, broken):
    said = []
    path = fetch(server, tmp_path, broken, broken, "plain", say=said.append)
    assert path.read_bytes() == CONTENT
    first, second, third = server.asked
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in (second, third)]
    assert first is None and 0 < starts[0] < starts[1]
    assert starts == [100_000, 200_000] or broken == "stall"  # which may lose a chunk
    assert len(said) == 3 and said[0].endswith(MD5) and f"{starts[0]:,} bytes" in said[1]


def test_progress_pays_for_further_attempts(server, tmp_path):
    path = fetch(server, tmp_path, 500, "truncate", 503, "truncate", 429, "plain")
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 6


@pytest.mark.parametrize("ignoring", ["ignore range", "another range"])
def test_a_server_without_ranges_is_asked_for_everything_anew(server, tmp_path, ignoring):
    assert fetch(server, tmp_path, "truncate", ignoring, "plain").read_bytes() == CONTENT
    assert server.asked[:2] == [None, "bytes=100000-"]


@pytest.mark.parametrize(("status", "attempts"), [(500, 1 + 2), (403, 1 + 1)])
def test_the_next_call_goes_on_after_one_that_gave_up(server, tmp_path, status, attempts):
    assert f"HTTP {status}" in refusal(server, tmp_path, "truncate", status)
    assert len(server.asked) == attempts and files(tmp_path) == {".a.tar.gz.partial"}
    server.asked.clear()
    assert fetch(server, tmp_path, "plain").read_bytes() == CONTENT
    assert server.asked == ["bytes=100000-"]
    assert files(tmp_path) == {"a.tar.gz"}


@pytest.mark.parametrize(("partial", "asked"), [(CONTENT, []), (CONTENT + b"x", [None])])
def test_a_partial_file_may_be_whole_or_too_long(server, tmp_path, partial, asked):
    (tmp_path / ".a.tar.gz.partial").write_bytes(partial)
    assert fetch(server, tmp_path, "plain").read_bytes() == CONTENT
    assert server.asked == asked


@pytest.mark.parametrize(
    ("behaviour", "said", "requests"),
    [(403, "HTTP 403 ", 1), (404, "HTTP 404 ", 1), ("redirect forever", "30 redirects", 31)],
)
def test_a_refused_address_is_one_line_at_once(server, tmp_path, behaviour, said, requests):
    assert said in refusal(server, tmp_path, behaviour)
    assert len(server.asked) == requests and files(tmp_path) == set()


def test_a_refused_connection_is_one_line_at_once(server, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server.server_port = closed.getsockname()[1]
        assert "refused" in refusal(server, tmp_path, "plain")


def test_an_unknown_host_is_one_line_at_once(server, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", UNKNOWN_HOST)
    assert "Name or service not known" in refusal(server, tmp_path, "plain")


def test_a_host_that_is_lost_later_is_tried_again(server, tmp_path, monkeypatch):
    slept, known_host = [], socket.getaddrinfo

    def sleep(seconds):
        slept.append(seconds)
        monkeypatch.setattr(socket, "getaddrinfo", known_host if slept[2:] else UNKNOWN_HOST)

    monkeypatch.setattr(module, "WAITS", (0.1, 0.2, 0.3))
    monkeypatch.setattr(module.time, "sleep", sleep)
    assert fetch(server, tmp_path, "truncate", "plain").read_bytes() == CONTENT
    assert slept == [0.1, 0.2, 0.3]


def test_a_wrong_checksum_is_named_and_the_next_call_starts_anew(server, tmp_path):
    server.content = CONTENT[::-1]
    message = refusal(server, tmp_path, "plain")
    assert MD5 in message and hashlib.md5(CONTENT[::-1]).hexdigest() in message
    assert files(tmp_path) == set()
    server.content = CONTENT
    assert fetch(server, tmp_path, "plain").read_bytes() == CONTENT
    assert server.asked == [None, None]


@pytest.mark.parametrize("behaviour", ["plain", "no length"])
@pytest.mark.parametrize("content", [CONTENT + b"x" * 70_000, b"<html>sign in</html>"])
def test_a_wrong_size_is_named(server, tmp_path, behaviour, content):
    server.content = content
    message = refusal(server, tmp_path, behaviour)
    found = re.search(r"expected 300,000 bytes, found ([\d,]+); what was fetched", message)[1]
    assert 300_000 < int(found.replace(",", "")) <= len(content) or found == f"{len(content)}"
    assert files(tmp_path) == set()


def test_without_a_checksum_the_sha256_is_said(server, tmp_path):
    server.content = gzip.compress(CONTENT)
    said = []
    path = fetch(server, tmp_path, "truncate", "plain", md5=None, say=said.append)
    assert path.read_bytes() == server.content
    assert hashlib.sha256(server.content).hexdigest() in said[-1]
    path.rename(tmp_path / ".a.tar.gz.partial")
    assert fetch(server, tmp_path, "plain", md5=None).read_bytes() == server.content
    assert server.asked[2:] == [f"bytes={len(server.content)}-"]  # to learn whether that is all


@pytest.mark.parametrize(
    ("content", "expected"),
    [(CONTENT, "gzip"), (gzip.compress(CONTENT)[:200_000], "expected about 300,000 bytes")],
)
def test_without_a_checksum_size_and_format_are_checked(server, tmp_path, content, expected):
    server.content = content
    assert expected in refusal(server, tmp_path, "plain", md5=None)
    assert files(tmp_path) == set()
    (tmp_path / "a.tar.gz").write_bytes(content)
    assert expected in refusal(server, tmp_path, "plain", md5=None)
    assert files(tmp_path) == {"a.tar.gz"}


def test_ctrl_c_leaves_the_partial_file_alone(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        fetch(server, tmp_path, "truncate")
    assert files(tmp_path) == {".a.tar.gz.partial"}
    assert (tmp_path / ".a.tar.gz.partial").read_bytes() == CONTENT[:100_000]


def test_a_killed_process_leaves_the_partial_file_alone(server, tmp_path):
    server.behaviours[:] = ["stall", "plain"]
    code = (
        "from pathlib import Path; from lra.data.dataset import Archive\n"
        "from lra.data.download import download\n"
        f"download({archive(server)!r}, Path({str(tmp_path)!r}), print)"
    )
    partial = tmp_path / ".a.tar.gz.partial"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while process.poll() is None and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.01)
        process.kill()
    assert files(tmp_path) == {partial.name}
    kept = partial.stat().st_size
    assert fetch(server, tmp_path, "plain").read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={kept}-"]


def test_it_waits_for_a_process_that_fetches_the_same(server, tmp_path):
    say = Mock(side_effect=InterruptedError)
    with locked(tmp_path / ".a.tar.gz.lock", print), pytest.raises(InterruptedError):
        fetch(server, tmp_path, "plain", say=say)
    assert "in use" in say.call_args.args[0] and server.asked == []


@pytest.mark.parametrize("official", [ACL_IMDB, CIFAR_10, LRA_RELEASE], ids=lambda a: a.name)
def test_an_official_archive_describes_itself_in_one_line(official):
    line = official.description
    assert official.url in line and f"{official.size:,} bytes" in line and "\n" not in line
    assert (official.md5 or "no checksum is published") in line
    assert official.url.endswith(official.name) and official.unpacked > official.size
    assert official.size in official.sizes


def test_reported_sizes_of_the_lra_archive_are_allowed():
    for size in (7.7e9, 8.2e9, 7.7 * 2**30, 8.2 * 2**30):
        assert int(size) in LRA_RELEASE.sizes
    assert 2_000_000_000 not in LRA_RELEASE.sizes
    assert list(CIFAR_10.sizes) == [170_498_071]
