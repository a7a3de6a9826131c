"""Official files that an editor, a spreadsheet or a transfer altered: read, or named as altered."""

import codecs
import gzip
import pickle

import numpy as np
import pytest

from attention_zoo import UsageError
from lra.cli import main
from lra.tasks.image.official import read_batch
from lra.tasks.listops.official import read_official
from lra.tasks.pathfinder.official import listed, read_image
from lra.tasks.retrieval.official import read
from lra.tasks.text.official import read_review

from .test_image import batch, python_2
from .test_official import ROWS
from .test_pathfinder_official import GREY, fields, png, saved
from .test_prepare import run, sized, write_official

BOM = codecs.BOM_UTF8
LISTOPS = ["Source\tTarget", *(f"{text}\t{value}" for text, value in ROWS)]
RETRIEVAL = [rf"{label}.0	A{label}	B	b'It\'s \n'	b'y'" for label in (0, 1, 1)]
PATHFINDER = [" ".join(fields(1, i, i % 2)) for i in range(3)]
TEXTS = {
    "listops": (LISTOPS, "basic_val.tsv", lambda file: read_official(file, 60, 1)),
    "retrieval": (RETRIEVAL, "new_aan_pairs.eval.tsv", lambda file: list(read(file, 99))),
    "pathfinder": (PATHFINDER, "1.npy", listed),
}
EVERY_TEXT = pytest.mark.parametrize("kind", TEXTS)


def of(kind, folder, alter):
    """What is read of an altered file, or the message with which it is refused."""
    lines, name, read_file = TEXTS[kind]
    (folder / name).write_bytes(alter("".join(f"{line}\n" for line in lines).encode()))
    try:
        return read_file(folder / name)
    except UsageError as error:
        assert str(error).startswith(f"{folder / name}:") and "\n" not in str(error)
        return str(error).removeprefix(f"{folder / name}:")


def crlf(content):
    return content.replace(b"\n", b"\r\n")


@EVERY_TEXT
@pytest.mark.parametrize(
    "alter",
    [
        lambda content: BOM + content,
        lambda content: content + b"\n",
        lambda content: crlf(content + b"\n"),
        lambda content: crlf(content) + b"\n",
        lambda content: crlf(content) + b"\r",
        lambda content: content[:-1],
        lambda content: BOM + crlf(content) + b"\r\n",
    ],
    ids=["mark", "blank", "crlf blank", "crlf lf", "crlf cr", "no end", "all"],
)
def test_a_mark_one_blank_last_line_and_any_line_end_are_read(kind, alter, tmp_path):
    rows = of(kind, tmp_path, bytes)
    assert len(rows) == 3 and of(kind, tmp_path, alter) == rows


def between(content, piece):
    """With a piece before the third line."""
    lines = content.splitlines(keepends=True)
    return b"".join([*lines[:2], piece, *lines[2:]])


def quoted(content, separator):
    """As a spreadsheet saves it: every column in quotes."""
    lines = [separator.join(f'"{x}"' for x in line.split(separator)) for line in content]
    return "".join(f"{line}\n" for line in lines).encode()


@EVERY_TEXT
def test_what_cannot_be_read_is_named(kind, tmp_path):
    lines = TEXTS[kind][0]
    separator = " " if kind == "pathfinder" else "\t"
    ways = {
        "1: quotes": lambda content: quoted(lines, separator),
        "3: quotes": lambda content: between(content, quoted(lines[2:3], separator)),
        "3: a blank line": lambda content: between(content, b"\r\n"),
        "5: a blank line": lambda content: content + b"\n\n",
        "3: a byte-order mark": lambda content: between(content, BOM),
        "1: UTF-16": lambda content: content.decode().encode("utf-16"),
        "1: a gzip file": gzip.compress,
        "1: UTF-16 ": lambda content: codecs.BOM_UTF16_BE + content.decode().encode("utf-16-be"),
    }
    if kind == "pathfinder":  # whose lines may end in a carriage return alone
        rows = of(kind, tmp_path, bytes)
        assert of(kind, tmp_path, lambda content: content.replace(b"\n", b"\r")) == rows
    else:
        ways["1: carriage returns"] = lambda content: content.replace(b"\n", b"\r")
    if kind != "listops":
        ways["4: a blank line"] = ways.pop("5: a blank line")
    for expected, alter in ways.items():
        line, _, named = expected.strip().partition(": ")
        message = of(kind, tmp_path, alter)
        assert message.startswith(f"{line}: expected ") and f"found {named}" in message, expected


@EVERY_TEXT
def test_files_of_nothing_but_a_mark_or_a_blank_line_have_no_rows(kind, tmp_path):
    for content in (b"", BOM, b"\n", BOM + b"\r\n"):
        message = of(kind, tmp_path, lambda _, content=content: content)
        assert "expected" in message and "index" not in message
    for content in (b"", BOM) if kind == "listops" else ():
        message = of(kind, tmp_path, lambda _, content=content: content)
        assert message.endswith("found an empty file")


@pytest.mark.parametrize(
    ("alter", "named"),
    [
        (lambda content: BOM + content, "a byte-order mark"),
        (crlf, "line ends that were converted to CRLF"),
    ],
)
def test_binary_files_that_were_treated_as_text_are_named(alter, named, tmp_path):
    content = batch(7)
    content[b"data"][0, :3] = ord("\n")
    for whole in (python_2(content), pickle.dumps(content, protocol=2)):
        (tmp_path / "data_batch_1").write_bytes(whole)
        read_batch(tmp_path / "data_batch_1")
        (tmp_path / "data_batch_1").write_bytes(alter(whole))
        with pytest.raises(UsageError, match=rf"data_batch_1: .*found {named}"):
            read_batch(tmp_path / "data_batch_1")
    (tmp_path / "sample_1.png").write_bytes(alter(png(GREY)))
    with pytest.raises(UsageError, match=rf"sample_1\.png: .*found {named}"):
        read_image(tmp_path / "sample_1.png", 32)
    (tmp_path / "1.npy").write_bytes(alter(saved(np.array([fields(1, i, 0) for i in range(3)]))))
    with pytest.raises(UsageError, match=rf"1\.npy: .*found {named}"):
        listed(tmp_path / "1.npy")


def test_a_blank_line_behind_a_pickle_is_named(tmp_path):
    for end in (b"\n", b"\r\n"):
        (tmp_path / "test_batch").write_bytes(python_2(batch(2)) + end)
        with pytest.raises(UsageError, match="after the pickle, found a blank line"):
            read_batch(tmp_path / "test_batch")


def test_marks_and_line_ends_of_reviews_are_text_and_told(tmp_path, capsys):
    """The reviews are read byte by byte: what was altered in them reaches the model."""
    write_official("text", tmp_path)
    first, second, *_ = sorted((tmp_path / "aclImdb/test/neg").iterdir())
    for file, content in ((first, BOM + b"bad"), (second, b"bad\r\nworse\r\n")):
        file.write_bytes(content)
        assert read_review(file) == content
    assert run("text", tmp_path) == 0
    out = capsys.readouterr().out
    assert "that begin with a byte-order mark, which is read as text: 1" in out
    assert "with CRLF line ends, which is read as text: 1" in out
    words = ["prepare", "--task", "text", "--data-dir", str(tmp_path), "--verify"]
    assert main([*words, "--set", *sized("text")]) == 0
    assert capsys.readouterr().out == out
    first.write_bytes(BOM + b"\n")
    with pytest.raises(UsageError, match="expected the text of a review"):
        read_review(first)
    first.write_bytes('"été"'.encode("latin1"))
    with pytest.raises(UsageError, match="expected UTF-8, found 0xe9 at byte 2"):
        read_review(first)
    first.write_bytes("schlecht".encode("utf-16"))
    with pytest.raises(UsageError, match="expected UTF-8, found UTF-16"):
        read_review(first)
