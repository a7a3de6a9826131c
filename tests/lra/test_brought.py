"""Official data as people bring them: what lies in the data folder is read, unpacked or named."""

import dataclasses
import gzip
import io
import shutil
import tarfile

import pytest

from attention_zoo import UsageError
from lra.cli import main
from lra.data import obtain
from lra.data.brought import Brought
from lra.data.prepare import find_source
from lra.grid import plan
from lra.tasks import TASKS

from .test_official import write_official as write_listops
from .test_pathfinder_official import write_level
from .test_prepare import OFFICIAL, sized, write_official
from .tiny import unprivileged

EVERY = (*OFFICIAL, "listops", "pathfinder")
TWO = ("text", "listops")  # an archive with one folder around the files, and with three
STEMS = {"text": "aclImdb_v1", "image": "cifar-10-python"}
LEVEL = "task.level=curv_baseline"
SMALL = {  # where the sizes of test_prepare are not those of the files written here
    "listops": ["task.train=40", "task.val=10", "task.test=7"],
    "pathfinder": ["task.train=4", "task.val=2", "task.test=1", LEVEL],
}


def write(task, folder):
    if task in OFFICIAL:
        return write_official(task, folder)
    inner = folder / TASKS[task].root(settings_of(task))
    return write_listops(inner) if task == "listops" else write_level(inner)


def words(task):
    return SMALL.get(task) or sized(task)


def settings_of(task, **changes):
    changes = {"level": "curv_baseline"} | changes if task == "pathfinder" else changes
    return TASKS[task].settings(**changes)


def top(task):
    return TASKS[task].root(settings_of(task)).split("/")[0]


def run(task, folder):
    return main(
        [
            *("prepare", "--task", task, "--data-dir", str(folder), "--workers", "1"),
            *("--set", *words(task)),
        ]
    )


def said(capsys):
    """The one line of an error."""
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    return line


@pytest.fixture(scope="module")
def tars(tmp_path_factory):
    """The official files of each task, as one plain tar."""
    contents = {}
    for task in EVERY:
        folder = tmp_path_factory.mktemp(task)
        write(task, folder)
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            tar.add(folder / top(task), top(task))
        contents[task] = stream.getvalue()
    return contents


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def refused(task, folder, *words):
    """What both say of a folder in which nothing can be taken: neither draws in its stead."""
    lines = []
    for source in ("auto", "official"):
        with pytest.raises(UsageError) as raised:
            find_source(TASKS[task], settings_of(task, source=source), folder)
        lines.append(str(raised.value))
    assert lines[0] == lines[1] and "\n" not in lines[0]
    for word in words:
        assert str(word) in lines[0]
    assert not (folder.is_dir() and list(folder.glob("prepared/[!.]*")))
    return lines[0]


NAMES = [(task, name) for task in EVERY for name in ("{archive}", "{stem}.tar")]
NAMES += [("listops", "lra_release"), ("pathfinder", "lra_release"), ("retrieval", "LRA_Release")]
NAMES += [("text", "aclImdb.tar"), ("listops", "lra_release/lra_release.tar")]
NAMES += [("listops", "lra_release/lra_release"), ("pathfinder", "lra_release/lra_release")]


@pytest.mark.parametrize(("task", "name"), NAMES)
def test_an_archive_after_gunzip_is_unpacked_by_prepare_and_never_passed_over(
    task, name, tars, data, capsys
):
    """Also one that a browser decompressed without changing its name, or in its folder's place."""
    stem = STEMS.get(task, "lra_release")
    path = data / name.format(archive=TASKS[task].archive.name, stem=stem)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(tars[task])
    unpack = f"`python run_lra.py prepare --task {task} --data-dir {data}` unpacks it"
    refused(task, data, f"{path} is the archive", unpack)
    assert run(task, data) == 0
    out, err = capsys.readouterr()
    assert "official, fingerprint" in out
    assert f"from {path}" in err and "not compressed" in err
    assert path.read_bytes() == tars[task]
    assert find_source(TASKS[task], settings_of(task), data).settings.source == "official"


def test_the_archive_may_be_named_as_what_it_is(tars, data, capsys, monkeypatch):
    packed = gzip.compress(tars["listops"])
    archive = dataclasses.replace(TASKS["listops"].archive, size=len(packed))
    monkeypatch.setitem(TASKS, "listops", dataclasses.replace(TASKS["listops"], archive=archive))
    (data / "lra_release.tar.gz").write_bytes(packed)
    assert run("listops", data) == 0
    assert "official, fingerprint" in capsys.readouterr().out


@pytest.mark.parametrize("task", ["text", "listops"])
def test_a_file_that_is_no_archive_is_named_in_its_folders_place(task, data, capsys):
    for name in (f"{top(task)}.tar", TASKS[task].archive.name):
        (data / name).write_text("<html>sign in</html>")
        refused(task, data, f"{data / name} is the archive")
        assert run(task, data) == 2
        assert f"{data / name}: expected" in said(capsys)
        (data / name).unlink()
    (data / top(task)).write_text("<html>sign in</html>")
    refused(task, data, f"{data / top(task)} is a file", "expected a folder")
    assert run(task, data) == 2
    assert f"{data / top(task)} is a file" in said(capsys)


def test_a_file_in_the_place_of_the_folder_is_named(tars, data, capsys):
    (data / "aclImdb").write_bytes(tars["text"])
    assert run("text", data) == 2
    assert f"{data / 'aclImdb'} is a file, expected a folder: move it elsewhere" in said(capsys)


LEFT = {  # by downloads and unpackers
    "{archive}": "is an empty file",
    "{top}.tar": "is an empty file",
    "{top}.zip": "is a zip archive",
    ".{archive}.partial": "is an unfinished download",
    "{archive}.crdownload": "is an unfinished download",
    "{stem}.gxTf1.gz.part": "is an unfinished download",
    "{stem} (1).gz": "seems to be the archive",
    "{stem}(2).tar.gz": "seems to be the archive",
    "{archive}.1": "seems to be the archive",
}


@pytest.mark.parametrize("task", TWO)
@pytest.mark.parametrize("name", LEFT)
def test_what_was_left_is_named_and_no_other_data_are_drawn(task, name, data, capsys):
    stem, archive = STEMS.get(task, "lra_release"), TASKS[task].archive.name
    path = data / name.format(archive=archive, stem=stem, top=top(task))
    path.write_text("" if "empty" in LEFT[name] else "x")
    refused(task, data, f"{path} {LEFT[name]}")
    assert run(task, data) == 2
    assert f"{path} {LEFT[name]}" in said(capsys)
    fetched = Brought(TASKS[task], settings_of(task), data).obstacle(fetch=True)
    assert (fetched is None) == ("unfinished" in LEFT[name])


@pytest.mark.parametrize("task", TWO)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_an_empty_or_half_extracted_folder_is_named(task, depth, data, capsys):
    parts = TASKS[task].root(settings_of(task)).split("/")
    folder = data.joinpath(*parts[: depth + 1])
    folder.mkdir(parents=True)
    refused(task, data, f"{folder} is an empty folder")
    assert run(task, data) == 2
    assert f"{folder} is an empty folder" in said(capsys)
    (data.joinpath(*parts) / "other").mkdir(parents=True)
    refused(task, data, f"{data.joinpath(*parts)} holds none of the official files")


@pytest.mark.parametrize("task", TWO)
def test_a_broken_link_is_named(task, data, capsys):
    link = data / top(task)
    link.symlink_to(data.parent / "gone")
    refused(task, data, f"{link} is a symbolic link", "gone, which does not exist")
    link.unlink()
    (data.parent / "linked").symlink_to(data.parent / "gone")
    refused(task, data.parent / "linked", "linked is a symbolic link")
    assert run(task, data.parent / "linked") == 2


def test_a_folder_behind_a_link_is_read_as_any_other(data):
    write("text", data.parent / "elsewhere")
    (data / "aclImdb").symlink_to(data.parent / "elsewhere" / "aclImdb")
    assert find_source(TASKS["text"], settings_of("text"), data).settings.source == "official"


@pytest.mark.parametrize(("task", "name"), [("text", "ACLIMDB"), ("listops", "LRA_release")])
def test_a_name_in_another_case_is_named(task, name, data):
    (data / name / "x").mkdir(parents=True)
    refused(task, data, f"{data / name}", f"mv {data / name} {data / top(task)}")


def test_the_data_folder_is_no_file(tars, data, capsys):
    (data / "lra_release.gz").write_bytes(gzip.compress(tars["listops"]))
    file = data / "lra_release.gz"
    refused("listops", file, "is a file, expected the folder", f"--data-dir {data}")
    assert run("listops", file) == 2
    assert f"is a file, expected a folder such as {data}" in said(capsys)
    with pytest.raises(UsageError, match="is a file"):
        find_source(TASKS["text"], settings_of("text", source="sample"), file)


@pytest.mark.parametrize("task", EVERY)
def test_one_folder_too_many_around_the_files_is_looked_through(task, data, capsys):
    """As unpackers make that put what they unpack into a folder of the archive's name."""
    write(task, data / STEMS.get(task, "lra_release"))
    assert run(task, data) == 0
    assert "official, fingerprint" in capsys.readouterr().out
    if task in STEMS:
        shutil.move(data / STEMS[task], data / top(task))
        assert find_source(TASKS[task], settings_of(task), data).settings.source == "official"


@pytest.mark.parametrize("inside", ["pathfinder32", "pathfinder32/curv_baseline"])
def test_a_data_folder_within_the_archives_own_is_named(inside, data):
    write("pathfinder", data)
    release = data / "lra_release/lra_release"
    refused("pathfinder", release / inside, f"--data-dir {release}")
    found = find_source(TASKS["pathfinder"], settings_of("pathfinder"), release)
    assert found.folder == release / "pathfinder32/curv_baseline"


@pytest.mark.parametrize("task", EVERY)
def test_what_was_found_is_said_with_its_place(task, data, capsys):
    root = TASKS[task].root(settings_of(task))
    place = data / root.removeprefix("lra_release/lra_release/")
    write(task, data)
    place.parent.mkdir(exist_ok=True)
    shutil.move(data / root, place)
    assert run(task, data) == 0
    out, err = capsys.readouterr()
    assert f"official files of {task} are in {place}" in err
    assert f"read from {place}" in out and "lra_release" not in err
    level = ["--set", LEVEL] if task == "pathfinder" else []
    assert main(["prepare", "--task", task, "--data-dir", str(data), *level]) == 2
    line = said(capsys)
    assert str(place) in line and " examples for " in line


def test_a_run_says_where_its_data_are_from(data, capsys):
    dry = ["--task", "listops", "--attn", "linear", "--data-dir", str(data), "--dry-run"]
    dry += ["--results", str(data.parent / "results")]
    assert main(dry) == 0
    assert "listops: generated data, not official files\n" in capsys.readouterr().err


def test_an_official_file_of_another_kind_is_named(data, capsys):
    write("listops", data)
    file = data / "lra_release/lra_release/listops-1000/basic_val.tsv"
    file.unlink()
    file.mkdir()
    refused("listops", data, f"{file} is a folder, expected a file")
    file.rmdir()
    file.symlink_to("nowhere")
    refused("listops", data, f"{file} is a symbolic link")
    write("text", data)
    review = data / "aclImdb/test/pos/77_8.txt"
    review.symlink_to("nowhere")
    assert run("text", data) == 2
    assert f"{review} is a symbolic link to nowhere" in said(capsys)


@pytest.mark.parametrize("task", EVERY)
def test_a_folder_that_must_not_be_read_is_not_taken_for_an_empty_one(task, capsys):
    assert obtain and plan  # imported while this process may read everything
    with unprivileged() as (data, drop_rights):
        write(task, data)
        (data / top(task)).chmod(0)
        drop_rights()
        with pytest.raises(PermissionError):
            find_source(TASKS[task], settings_of(task), data)
        assert run(task, data) == 1
        assert f"{data / top(task)}" in (line := said(capsys)) and "Permission denied" in line
        assert not (data / "prepared").exists()
