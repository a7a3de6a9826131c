"""Archives unpacked: what is wanted of a good one, nothing of a bad one."""

import contextlib
import gzip
import io
import os
import random
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.data.unpack import unpack
from lra.seeds import derive
from lra.system.locks import locked

GOOD = {
    "top/README": b"read me",
    "top/train/pos/0_9.txt": b"good\n",
    "top/train/neg/0_1.txt": "schlecht \N{PILE OF POO}\n".encode(),
    "top/train/unsup/0_0.txt": b"unknown",
    "top/train/noise": random.Random(derive(0, "test", "unpack")).randbytes(200_000),
    "top/Größe/名.txt": b"unicode",
    "other/file": b"elsewhere",
    "topping/file": b"not within top",
}
UNSUP = {"train/unsup/0_0.txt": b"unknown"}
WITHIN = {name.removeprefix("top/"): content for name, content in list(GOOD.items())[:6]}
TREE = {name: WITHIN[name] for name in WITHIN.keys() - UNSUP}


def member(name, kind=tarfile.REGTYPE, mode=0o644, linkname=""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, linkname
    return info


def tar_bytes(contents=GOOD, extra=(), prefix="", mode=0o644, form=tarfile.PAX_FORMAT):
    """A tar file of `contents`, then the members of `extra`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in contents.items():
            info = member(prefix + name, mode=mode)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info)
    return buffer.getvalue()


def write(folder, content):
    path = folder / "a.tar.gz"
    path.write_bytes(content)
    return path


def read(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def unpacked(folder, content, root="top", bound=10**6, skip=()):
    """The files by their names; nothing is beside their folder but the archive and a lock."""
    archive = write(folder, content)
    try:
        unpack(archive, root, folder / "out", bound, print, skip)
    except UsageError:
        assert set(os.listdir(folder)) == {"a.tar.gz", ".out.lock"}
        raise
    assert set(os.listdir(folder)) == {"a.tar.gz", ".out.lock", "out"}
    return read(folder / "out")


def refusal(folder, content, **kwargs):
    """The message, which must be one line that names the archive."""
    with pytest.raises(UsageError) as raised:
        unpacked(folder, content, **kwargs)
    assert "\n" not in str(raised.value) and str(folder / "a.tar.gz") in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("packed", [gzip.compress, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize("prefix", ["", "./", ".//"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_the_folder_takes_the_place_of_the_root(tmp_path, packed, prefix, form):
    assert unpacked(tmp_path, packed(tar_bytes(prefix=prefix, form=form))) == WITHIN


def test_a_root_may_lie_deeper(tmp_path):
    files = unpacked(tmp_path, gzip.compress(tar_bytes()), "./top/train/neg/")
    assert files == {"0_1.txt": TREE["train/neg/0_1.txt"]}


def test_folders_that_are_not_wanted_are_skipped(tmp_path):
    links = [member(f"{where}/link", tarfile.SYMTYPE) for where in ("top/train/unsup", "other")]
    content = gzip.compress(tar_bytes(extra=links))
    assert unpacked(tmp_path, content, skip=("train/unsup", "train/po")) == TREE
    assert not (tmp_path / "out/train/unsup").exists()


@pytest.mark.parametrize("name", ["top", "top/empty/"])
def test_empty_folders_are_kept(tmp_path, name):
    content = tar_bytes({"file": b""}, [member(name, tarfile.DIRTYPE)])
    assert unpacked(tmp_path, gzip.compress(content)) == {}
    assert os.listdir(tmp_path / "out") == ([] if name == "top" else ["empty"])


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o6777])
def test_modes_in_the_archive_do_not_matter(tmp_path, mode):
    folder = member("top/closed", tarfile.DIRTYPE, mode=0)
    within = member("top/closed/file", mode=0)
    files = unpacked(tmp_path, gzip.compress(tar_bytes(extra=[folder, within], mode=mode)))
    assert files["closed/file"] == b""
    for path in (tmp_path / "out").rglob("*"):
        found = stat.S_IMODE(path.stat().st_mode)
        wanted = stat.S_IRUSR | stat.S_IWUSR | (stat.S_IXUSR if path.is_dir() else 0)
        assert found & (stat.S_IRWXU | stat.S_ISUID | stat.S_ISGID) == wanted


@pytest.mark.parametrize("where", ["top", "other"])
@pytest.mark.parametrize(
    "name", ["/{}/file", "../{}/file", "{}/../../file", "{}/..", "./{}/../file", "//{}/file"]
)
def test_a_name_that_leaves_its_folder_is_refused(tmp_path, name, where):
    name = name.format(where)
    assert repr(name) in refusal(tmp_path, gzip.compress(tar_bytes(extra=[member(name)])))
    assert not (tmp_path.parent / "file").exists() and not Path("/top").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"],
)
@pytest.mark.parametrize("name", ["top/train/bad", "top"])
def test_what_is_neither_file_nor_folder_is_refused(tmp_path, kind, name):
    bad = member(name, kind, linkname="top/README")
    message = refusal(tmp_path, gzip.compress(tar_bytes(extra=[bad])))
    assert f"'{name}' is a link, a device or the like, expected" in message


@pytest.mark.parametrize(
    "extra", [member("top/README/file"), member("top/train"), member("top/README", tarfile.DIRTYPE)]
)
def test_a_file_that_is_a_folder_too_is_refused(tmp_path, extra):
    message = refusal(tmp_path, gzip.compress(tar_bytes(extra=[extra])))
    assert f"{extra.name!r} is both a file and a folder" in message


def test_a_later_copy_of_a_file_replaces_it(tmp_path):
    content = gzip.compress(tar_bytes(extra=[member("top/README")]))
    assert unpacked(tmp_path, content) == WITHIN | {"README": b""}


def test_more_bytes_or_members_than_the_bounds_are_refused(tmp_path, monkeypatch):
    size = sum(map(len, GOOD.values()))
    content = gzip.compress(tar_bytes())
    message = refusal(tmp_path, content, bound=size - 1)
    assert f"{size:,} bytes" in message and f"at most {size - 1:,}" in message
    monkeypatch.setattr("lra.data.unpack.MOST", len(GOOD) - 1)
    assert f"in {len(GOOD):,} members" in refusal(tmp_path, content, bound=size)
    monkeypatch.setattr("lra.data.unpack.MOST", len(GOOD))
    assert unpacked(tmp_path, content, bound=size) == WITHIN


def test_a_bomb_is_refused_before_it_is_written(tmp_path, monkeypatch):
    bomb = gzip.compress(tar_bytes({"top/bomb": bytes(10**7)}))
    monkeypatch.setattr("tarfile.copyfileobj", None)
    assert len(bomb) < 20_000 and "10,000,000 bytes" in refusal(tmp_path, bomb)


@pytest.mark.parametrize("name", ["top/big", "other/big"])
@pytest.mark.parametrize("packed", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_a_size_beyond_the_archives_is_refused_at_once(tmp_path, name, packed):
    big = member(name)
    big.size = 2**62
    content = tar_bytes({"top/README": b"read me"}, [big], form=tarfile.GNU_FORMAT)
    assert f"'{name}' brings it to {2**62 + 7:,} bytes" in refusal(tmp_path, packed(content))


def test_a_root_that_is_no_folder_is_refused_with_what_there_is(tmp_path):
    message = refusal(tmp_path, gzip.compress(tar_bytes()), root="top/README")
    assert message.endswith("'top/README' is a file, expected a folder")
    message = refusal(tmp_path, gzip.compress(tar_bytes(prefix="./")), root="pot/train")
    assert "no folder 'pot/train'; at its top are 'other', 'top', 'topping'" in message
    many = {f"folder{i:02}/file": b"" for i in range(30)}
    assert refusal(tmp_path, gzip.compress(tar_bytes(many))).endswith("'folder09', …")


@pytest.mark.parametrize("kept", [0, 1, 5, 100, 150_000, -9, -8, -1])
def test_a_truncated_gzip_file_is_refused(tmp_path, kept):
    assert "truncated" in refusal(tmp_path, gzip.compress(tar_bytes())[:kept])


def test_a_tar_file_that_ends_within_a_member_or_before_its_end_is_refused(tmp_path):
    whole = tar_bytes({"top/a": b"a" * 700, "top/b": b"b"})
    for kept in (0, 512, 512 + 700, 1536, 1536 + 100, 2048, 2049, 2560):  # 2560: no end mark
        assert "truncated" in refusal(tmp_path, gzip.compress(whole[:kept]))
        assert "truncated" in refusal(tmp_path, whole[:kept])
    assert unpacked(tmp_path, whole[: 2560 + 512]) == {"a": b"a" * 700, "b": b"b"}


@pytest.mark.parametrize("place", [15, 100_000, -6])
def test_damaged_bytes_and_a_wrong_checksum_are_refused(tmp_path, place):
    damaged = bytearray(gzip.compress(tar_bytes()))
    damaged[place] ^= 0xFF
    assert "damaged" in refusal(tmp_path, damaged)


def test_a_damaged_header_amid_the_archive_is_not_its_end(tmp_path):
    damaged = bytearray(tar_bytes({"top/a": b"a", "top/b": b"b"}))
    damaged[1024] ^= 1  # the name of the second member
    assert "damaged" in refusal(tmp_path, gzip.compress(damaged))
    bad = member("top/sparse")
    bad.pax_headers = {"GNU.sparse.map": "0,x", "GNU.sparse.size": "3"}
    assert "damaged" in refusal(tmp_path, gzip.compress(tar_bytes(extra=[bad])))


def test_what_is_no_archive_is_refused(tmp_path):
    for content in (b"", b"<html>sign in</html>", gzip.compress(b""), gzip.compress(b"x" * 5000)):
        assert "no tar archive" in refusal(tmp_path, content)


SMALL = tar_bytes({"top/a": b"a" * 600, "top/" + "long" * 40: b"b", "top/ü": b""})


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(SMALL)),
    st.booleans(),
)
def test_whatever_is_damaged_is_refused_or_unpacked_within_its_folder(places, kept, packed):
    damaged = bytearray(SMALL)
    for place, value in places:
        damaged[place] = value
    content = bytes(damaged[:kept])
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        unpacked(Path(folder), gzip.compress(content, 1) if packed else content, bound=10_000)


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    assert unpacked(tmp_path, gzip.compress(tar_bytes())) == {"mine": b"mine"}


def test_what_a_killed_process_left_is_made_again(tmp_path):
    archive = write(tmp_path, gzip.compress(tar_bytes()))
    code = (
        "import os, sys, tarfile; from pathlib import Path; from lra.data.unpack import unpack\n"
        "tarfile.copyfileobj = lambda *_: os.kill(os.getpid(), 9)\n"
        "unpack(Path(sys.argv[1]), 'top', Path(sys.argv[2]), 10**6, print)"
    )
    command = [sys.executable, "-c", code, str(archive), str(tmp_path / "out")]
    assert subprocess.run(command).returncode == -9
    partial = tmp_path / ".out.partial"
    assert partial.is_dir() and not (tmp_path / "out").exists()
    (partial / "stale").write_text("of another archive")
    assert unpacked(tmp_path, archive.read_bytes()) == WITHIN


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch):
    content = gzip.compress(tar_bytes())
    monkeypatch.setattr("tarfile.copyfileobj", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        unpacked(tmp_path, content)
    assert set(os.listdir(tmp_path)) == {"a.tar.gz", ".out.lock"}


def test_it_waits_for_a_process_that_unpacks_the_same(tmp_path):
    say = Mock(side_effect=InterruptedError)
    with locked(tmp_path / ".out.lock", print), pytest.raises(InterruptedError):
        unpack(tmp_path / "a.tar.gz", "top", tmp_path / "out", 10**6, say)
    assert "in use" in say.call_args.args[0]


def test_memory_does_not_grow_with_the_members(tmp_path, monkeypatch):
    remembered = []
    read_next = tarfile.TarFile.next

    def watched(tar):
        remembered.append(len(tar.members))
        return read_next(tar)

    content = gzip.compress(tar_bytes())
    monkeypatch.setattr(tarfile.TarFile, "next", watched)
    assert unpacked(tmp_path, content, "top/train/pos") == {"0_9.txt": b"good\n"}
    assert max(remembered) <= 1 and len(remembered) == len(GOOD) + 2  # once through, not twice
