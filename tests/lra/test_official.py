"""LRA's own ListOps files: read as they are, every row checked, never written to."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.data.prepare import find_source, prepare
from lra.tasks import get_task
from lra.tasks.listops.expressions import CLOSE_ID, decode, encode, evaluate
from lra.tasks.listops.generate import Shape, chunk
from lra.tasks.listops.official import find, parse_row, read_official
from lra.tasks.listops.settings import ListOpsSettings

from .test_listops import surface, trees, value
from .tiny import unprivileged

SIZES = {"train": 40, "val": 10, "test": 7}
SETTINGS = ListOpsSettings(min_length=0, max_length=60, **SIZES)
ROWS = [
    (nested, evaluate(encode(nested)))
    for nested in (
        "( ( ( [MAX 3 ) 4 ) ] )",
        "( ( ( ( [SM ( ( ( [MED 6 ) 5 ) ] ) ) 1 ) 1 ) ] )",
        "( ( ( ( ( [MIN 4 ) 6 ) 6 ) 0 ) ] )",
    )
]


def write_official(folder, end="\r\n", rows=ROWS, sizes=SIZES):
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in sizes.items():
        lines = ["Source\tTarget"] + [f"{t}\t{v}" for t, v in (rows * size)[:size]]
        (folder / f"basic_{split}.tsv").write_bytes("".join(x + end for x in lines).encode())
    return folder


def source(folder, settings=SETTINGS):
    return find_source(get_task("listops"), settings, folder)


@pytest.mark.parametrize(
    ("end", "workers"), [("\r\n", 2), ("\r\n", 1), ("\n", 1)], ids=["crlf-2", "crlf-1", "lf-1"]
)
def test_the_official_rows_are_the_data(tmp_path, end, workers):
    write_official(tmp_path, end)
    store = prepare(source(tmp_path), print, workers)
    assert store.recipe["source"] == "official"
    assert {name: len(split) for name, split in store.splits.items()} == SIZES
    for i, ((tokens,), label) in enumerate(store.splits["val"]):
        text, target = ROWS[i % len(ROWS)]
        assert (bytes(tokens), label) == (encode(text), target)
        if i == 9:
            break


@pytest.mark.parametrize(
    ("data_dir", "where"),
    [
        (".", "."),
        (".", "listops-1000"),
        (".", "lra_release/listops-1000"),
        (".", "lra_release/lra_release/listops-1000"),
        ("lra_release", "lra_release/lra_release/listops-1000"),
    ],
)
def test_they_are_found_in_the_archives_folders(tmp_path, data_dir, where):
    write_official(tmp_path / where)
    files = find(tmp_path / data_dir)
    assert {file.parent.resolve() for file in files.values()} == {(tmp_path / where).resolve()}


def test_of_two_copies_the_inner_one_is_read(tmp_path):
    write_official(tmp_path / "lra_release" / "listops-1000")
    inner = write_official(tmp_path / "lra_release" / "lra_release" / "listops-1000")
    for folder in (tmp_path, tmp_path / "lra_release"):
        assert find(folder)["val"].parent == inner


def test_they_decide_the_fingerprint_and_are_never_written_to(tmp_path):
    write_official(tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    first = source(tmp_path)
    prepare(first, print, 1)
    for path, state in before.items():
        assert (path.stat().st_mtime_ns, path.read_bytes()) == state
    contents = first.recipe["files"]
    train = (tmp_path / "basic_train.tsv").read_bytes()
    assert contents["train"] == hashlib.sha256(train).hexdigest()
    (tmp_path / "basic_test.tsv").write_text("Source\tTarget\n7\t7\n")
    assert source(tmp_path).fingerprint != first.fingerprint
    longer = source(tmp_path, replace(SETTINGS, max_length=61)).recipe["settings"]
    assert longer == {"brackets": "keep", **SIZES}


def test_the_source_can_be_chosen(tmp_path):
    empty, full = tmp_path / "empty", write_official(tmp_path / "full")
    assert source(empty).settings.source == "generated"
    assert source(full).settings.source == "official"
    assert source(full, ListOpsSettings(source="generated")).settings.source == "generated"
    with pytest.raises(UsageError, match="does not hold the official files"):
        source(empty, ListOpsSettings(source="official"))
    (full / "basic_val.tsv").unlink()
    with pytest.raises(UsageError, match=r"basic_val\.tsv is missing beside the other"):
        source(full)


def test_brackets_can_be_dropped_as_the_lineage_did(tmp_path):
    write_official(tmp_path)
    kept = prepare(source(tmp_path), print, 1)
    dropped = prepare(source(tmp_path, replace(SETTINGS, brackets="drop")), print, 1)
    assert kept.fingerprint != dropped.fingerprint and kept.baselines == dropped.baselines
    pairs = zip(kept.splits["test"], dropped.splits["test"], strict=True)
    for ((full,), label), ((short,), same) in pairs:
        assert bytes(short) == bytes(full).replace(bytes([CLOSE_ID]), b"") and label == same
        assert CLOSE_ID not in short


def test_prepared_rows_that_are_too_long_for_a_run_are_refused(tmp_path):
    write_official(tmp_path)
    prepare(source(tmp_path), print, 1)
    with pytest.raises(UsageError, match="have sequences of 8 tokens"):
        prepare(source(tmp_path, replace(SETTINGS, max_length=7)), print, 1)


GOOD = f"{ROWS[1][0]}\t{ROWS[1][1]}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD[:-1] + "9", "expected the value 7, found 9"),
        (GOOD.replace("[MED", "[MAX"), "expected the value 8, found 7"),
        (GOOD.replace("\t", " "), "expected an expression, a tab and a digit"),
        (GOOD + "0", "expected an expression, a tab and a digit"),
        (GOOD + "\t1", "expected an expression, a tab and a digit"),
        ("", "expected an expression, a tab and a digit"),
        ("\t3", "not one whole ListOps expression"),
        (GOOD.replace("[SM", "[SUM"), r"no token '\[SUM'"),
        (GOOD.replace("]", ")", 1), "not one whole ListOps expression"),
        (GOOD.replace(")", "(", 1), "parentheses are not those"),
        (GOOD.replace("( ", "", 1), "parentheses are not those"),
        ("[MAX 3 4  ]\t4", "parentheses are not those"),
        (" ".join(["( ( [MAX"] * 40 + ["1 ) ] )"] + [") ] )"] * 39) + "\t1", "has 81 tokens"),
        ("3\u00e9\t3", "no token"),
    ],
)
def test_a_wrong_row_is_refused_with_file_line_and_what_was_expected(tmp_path, line, message):
    write_official(tmp_path)
    file = tmp_path / "basic_val.tsv"
    lines = file.read_bytes().split(b"\r\n")
    lines[4] = line.encode()
    file.write_bytes(b"\r\n".join(lines))
    with pytest.raises(UsageError, match=rf"basic_val\.tsv:5: .*{message}"):
        read_official(file, 60, 1)
    with pytest.raises(UsageError, match=r"basic_val\.tsv:5: "):
        prepare(source(tmp_path), print)
    assert not [p for p in (tmp_path / "prepared").iterdir() if not p.name.startswith(".")]


@pytest.mark.parametrize("content", [b"", b"\n", b"Source,Target\n", GOOD.encode()])
def test_a_file_without_its_header_is_refused(tmp_path, content):
    (tmp_path / "basic_test.tsv").write_bytes(content)
    with pytest.raises(UsageError, match=r"basic_test\.tsv:1: expected the header"):
        read_official(tmp_path / "basic_test.tsv", 60, 1)
    (tmp_path / "basic_test.tsv").write_bytes(b"Source\tTarget\r\n")
    with pytest.raises(UsageError, match=r":2: .* there are no rows"):
        read_official(tmp_path / "basic_test.tsv", 60, 1)


@given(trees)
def test_every_expression_is_read_as_lra_writes_it_or_without_parentheses(tree):
    nested = surface(tree)
    for text in (nested, decode(encode(nested))):
        for end in ("", "\r"):
            tokens, label = parse_row(f"{text}\t{value(tree)}{end}".encode())
            assert (tokens, label) == (encode(nested), value(tree))


LINES = [
    f"{decode(tokens)}\t{evaluate(tokens)}".encode()
    for tokens in chunk(0, Shape(4, 30, 4, 4), 0)[:20]
] + [f"{text}\t{label}".encode() for text, label in ROWS]


@given(data=st.data())
def test_a_damaged_row_is_refused_or_still_true(data):
    """A flipped bit or a cut may leave another true row; a false one is never taken."""
    line = bytearray(data.draw(st.sampled_from(LINES)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(line) - 1))
        line[place] ^= 1 << data.draw(st.integers(0, 7))
    line = bytes(line[: data.draw(st.integers(0, len(line)))])
    try:
        tokens, label = parse_row(line)
    except UsageError:
        return
    expression = line.rstrip(b"\r\n").split(b"\t")[0].decode()
    assert encode(expression) == tokens and evaluate(tokens) == label == int(line.rstrip()[-1:])


def test_a_file_that_lacks_rows_is_refused(tmp_path):
    write_official(tmp_path, sizes=SIZES | {"test": 6})
    with pytest.raises(UsageError, match=r"basic_test\.tsv holds 6 examples for test, expected 7"):
        prepare(source(tmp_path), print, 1)
    assert not [p for p in (tmp_path / "prepared").iterdir() if not p.name.startswith(".")]


def test_a_folder_that_cannot_be_written_to_is_said():
    with unprivileged() as (folder, drop_rights):
        write_official(folder)
        folder.chmod(0o555)
        drop_rights()
        with pytest.raises(UsageError, match="link the files into a folder of your own"):
            prepare(source(folder), print, 1)
