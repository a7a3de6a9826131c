"""`prepare`: what it says, takes, fetches, unpacks, verifies and refuses."""

import dataclasses
import functools
import hashlib
import http.server
import os
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from attention_zoo import UsageError
from lra.cli import main
from lra.data import contents, download
from lra.data.writer import written
from lra.tasks import TASKS
from lra.tasks.image import sample as image_sample
from lra.tasks.retrieval import sample as retrieval_sample
from lra.tasks.text import sample as text_sample

SIZES = {"train": 20, "val": 4, "test": 8}
SET = [f"task.{split}={size}" for split, size in SIZES.items()]
JOINT = {"train": 24, "test": 8}  # where val is held out of the training files
OFFICIAL = {
    "text": (text_sample.write, JOINT, "aclImdb"),
    "retrieval": (retrieval_sample.write, SIZES, "lra_release"),
    "image": (image_sample.write, JOINT | {"train": 25}, "cifar-10-batches-py"),
}


def write_official(task, folder):
    write, sizes, _ = OFFICIAL[task]
    write(folder, sizes, 0)


def sized(task):
    return [*SET[1:], "task.train=21"] if task == "image" else SET


def run(task, folder, *words):
    return main(
        ["prepare", "--task", task, "--data-dir", str(folder), *words, "--set", *sized(task)]
    )


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """The official files of a task in an archive, which the task expects with its checksum."""

    def pack(task, folder, url="http://127.0.0.1:9/nothing"):
        write_official(task, tmp_path / "made")
        top = OFFICIAL[task][2]
        folder.mkdir(exist_ok=True)
        path = folder / TASKS[task].archive.name
        with tarfile.open(path, "w:gz") as tar:
            tar.add(tmp_path / "made" / top, top)
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        archive = dataclasses.replace(
            TASKS[task].archive, url=url, size=path.stat().st_size, md5=md5
        )
        monkeypatch.setitem(TASKS, task, dataclasses.replace(TASKS[task], archive=archive))
        return path

    return pack


@pytest.fixture
def server(tmp_path):
    """Serves a folder on this machine."""
    (tmp_path / "served").mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served")
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield tmp_path / "served", f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.mark.parametrize("task", OFFICIAL)
def test_official_files_that_are_there_are_taken(task, tmp_path, capsys):
    write_official(task, tmp_path)
    assert run(task, tmp_path) == 0
    out, err = capsys.readouterr()
    assert f"the official files of {task} are in {tmp_path}" in err
    assert "official, fingerprint" in out and "verified; majority class" in out
    rows = {line.split("|")[1].strip(): line for line in out.splitlines() if "|" in line}
    assert {"train", "val", "test"} < set(rows) and "| 8 " in rows["test"]
    assert run(task, tmp_path, "--verify") == 0
    assert capsys.readouterr().out == out


@pytest.mark.parametrize("task", OFFICIAL)
def test_an_archive_brought_by_hand_is_unpacked_and_taken(task, tmp_path, packed, capsys):
    packed(task, tmp_path / "data")
    assert run(task, tmp_path / "data") == 0
    assert "official, fingerprint" in capsys.readouterr().out


def test_missing_files_are_fetched_on_request(tmp_path, packed, server, capsys):
    served, address = server
    path = packed("text", served)
    archive = dataclasses.replace(TASKS["text"].archive, url=f"{address}/{path.name}")
    TASKS["text"] = dataclasses.replace(TASKS["text"], archive=archive)  # packed restores it
    assert run("text", tmp_path / "data") == 2
    said = capsys.readouterr().err
    assert "add --download" in said and f"md5 {archive.md5}" in said and "by hand: bring" in said
    assert not (tmp_path / "data").exists()
    assert run("text", tmp_path / "data", "--download") == 0
    assert "downloading" in capsys.readouterr().err
    assert (tmp_path / "data" / path.name).read_bytes() == path.read_bytes()
    path.unlink()
    assert run("text", tmp_path / "data", "--download") == 0  # no need to ask again


def test_a_dead_link_says_what_to_bring_and_where(tmp_path, packed, server, capsys, monkeypatch):
    served, address = server
    packed("image", served, f"{address}/gone.tar.gz")
    assert run("image", tmp_path / "data", "--download") == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    assert "HTTP 404" in line and "by hand: bring cifar-10-python.tar.gz" in line
    assert str(tmp_path / "data" / "cifar-10-batches-py") in line
    monkeypatch.setattr(download, "WAITS", ())
    packed_elsewhere = dataclasses.replace(TASKS["image"].archive, url="http://127.0.0.1:9/x")
    monkeypatch.setitem(
        TASKS, "image", dataclasses.replace(TASKS["image"], archive=packed_elsewhere)
    )
    assert run("image", tmp_path / "data", "--download") == 2
    said = capsys.readouterr().err
    assert "Connection refused" in said and "by hand: bring" in said


def test_tasks_that_can_be_drawn_say_so(tmp_path, capsys):
    words = ["--protocol", "nystromformer", "--set", "task.train=6", "task.val=2", "task.test=2"]
    words += ["task.level=curv_baseline"]
    assert main(["prepare", "--task", "pathfinder", "--data-dir", str(tmp_path), *words]) == 0
    out, err = capsys.readouterr()
    assert "pathfinder is drawn here instead" in err and "lra_release.gz" in err
    assert "generated, fingerprint" in out
    words = ["--source", "official", *words]
    assert main(["prepare", "--task", "pathfinder", "--data-dir", str(tmp_path), *words]) == 2
    assert "no checksum is published" in capsys.readouterr().err


def test_verify_makes_nothing_and_finds_damage(tmp_path, capsys):
    write_official("image", tmp_path)
    assert run("image", tmp_path, "--verify") == 2
    assert "nothing is prepared" in capsys.readouterr().err
    assert not list(tmp_path.glob("prepared/[!.]*"))
    assert run("image", tmp_path) == 0
    (tokens,) = tmp_path.glob("prepared/*/tokens.npy")
    tokens.write_bytes(tokens.read_bytes()[:-1] + b"\0")
    assert run("image", tmp_path, "--verify") == 2
    assert "tokens.npy does not have the SHA-256" in capsys.readouterr().err


def test_contents_are_read_again_only_when_something_changed(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    for name in ("b", "a/x", "a/b"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    sums = [hashlib.sha256(name.encode()).hexdigest() for name in ("b", "a/b", "a/x")]
    lines = "".join(f"{n}\0{s}\n" for n, s in zip(("b", "a/b", "a/x"), sums, strict=True))
    expected = hashlib.sha256(lines.encode()).hexdigest()
    assert contents.contents_of(folder, tmp_path) == expected
    monkeypatch.setattr(contents, "sha256_of", lambda path: pytest.fail("read again"))
    assert contents.contents_of(folder, tmp_path) == expected
    monkeypatch.undo()
    os.utime(folder / "b", (1, 1))
    assert contents.contents_of(folder, tmp_path) == expected
    (folder / "b").write_text("c")
    changed = contents.contents_of(folder, tmp_path)
    assert changed != expected
    (tmp_path / ".contents.json").write_text("[]")
    assert contents.contents_of(folder, tmp_path) == changed
    assert contents.contents_of(Path(folder / "b"), tmp_path) == hashlib.sha256(b"c").hexdigest()


def test_sequences_that_files_hold_twice_stay_on_one_side(tmp_path, capsys):
    write_official("text", tmp_path)
    texts = sorted((tmp_path / "aclImdb" / "train" / "pos").iterdir())
    for copy in texts[1:8]:
        copy.write_bytes(texts[0].read_bytes())
    copied = sorted((tmp_path / "aclImdb" / "test" / "pos").iterdir())[0]
    copied.write_bytes(texts[0].read_bytes())
    assert run("text", tmp_path) == 0
    out = capsys.readouterr().out
    assert "1 distinct examples of test stand in train, too" in out
    assert "stand in val" not in out and "of val" not in out


def test_pieces_of_a_source_that_is_refused_are_not_kept(tmp_path):
    """They may be of files that changed meanwhile; those of a killed preparation are kept."""
    for error, kept in ((UsageError("changed"), False), (KeyboardInterrupt(), True)):
        with pytest.raises(type(error)), written(tmp_path / "store", 1) as writer:
            list(writer.pieces(one, range(3), "work"))
            raise error
        assert (tmp_path / ".store.pieces").exists() == kept and not (tmp_path / "store").exists()


def one(number):
    return {"array": np.array([number])}


def test_an_empty_folder_in_the_archives_place_is_named(tmp_path, packed, capsys):
    packed("text", tmp_path / "data")
    (tmp_path / "data" / "aclImdb").mkdir()
    assert run("text", tmp_path / "data") == 2
    assert "aclImdb holds no official files of text: remove it" in capsys.readouterr().err


def test_a_damaged_archive_is_to_be_removed(tmp_path, packed, capsys, monkeypatch):
    path = packed("text", tmp_path / "data")
    path.write_bytes(path.read_bytes()[:-50])
    whole = dataclasses.replace(TASKS["text"].archive, md5=None, size=path.stat().st_size)
    monkeypatch.setitem(TASKS, "text", dataclasses.replace(TASKS["text"], archive=whole))
    assert run("text", tmp_path / "data") == 2
    said = capsys.readouterr().err
    assert f"{path}: " in said and "remove it, and --download fetches it anew" in said
    assert not (tmp_path / "data" / "aclImdb").exists()


def test_requests_that_cannot_be_met_are_refused(tmp_path, capsys):
    assert run("text", tmp_path, "--source", "sample", "--download") == 2
    assert "--source official asks for those that are fetched" in capsys.readouterr().err
    assert run("text", tmp_path, "--download", "--verify") == 2
    assert "not allowed with argument" in capsys.readouterr().err
    write_official("text", tmp_path)
    assert run("text", tmp_path, "--source", "official") == 0
    capsys.readouterr()
    lineage = ["task.select_on=test", "task.train=24"]
    words = ["prepare", "--task", "text", "--data-dir", str(tmp_path), "--set", "task.test=8"]
    assert main([*words, *lineage, "task.seed=3"]) == 2
    assert "task.seed has no effect" in capsys.readouterr().err
