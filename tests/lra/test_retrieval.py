"""Pairs of papers: the official files, and made-up papers in their format."""

import re
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.tasks.retrieval import official
from lra.tasks.retrieval.official import find, is_literal, parse_row, read
from lra.tasks.retrieval.sample import TOPICS, write

NAMES = {"train": "train", "val": "eval", "test": "test"}
ROWS = [
    rb"""1.0	P05-1012	W03-0102	b'Parsing\n\nby "hand"'	b"It's \xef\xac\x81ne" """.strip(),
    rb"""0	C00-1	D07-1101	b''	b'It\'s "odd", a \\ and \t'""",
]


def put(folder, rows=ROWS, end=b"\n"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES.values():
        content = b"".join(row + end for row in rows)
        (folder / f"new_aan_pairs.{name}.tsv").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("data_dir", "where"),
    [
        (".", "."),
        (".", "tsv_data"),
        (".", "lra_release/tsv_data"),
        (".", "lra_release/lra_release/tsv_data"),
        ("lra_release", "lra_release/lra_release/tsv_data"),
        ("lra_release/lra_release", "lra_release/lra_release/tsv_data"),
    ],
)
def test_the_files_are_found_in_the_archives_folders(tmp_path, data_dir, where):
    folder = put(tmp_path / where)
    found = {split: file.resolve() for split, file in find(tmp_path / data_dir).items()}
    assert found == {
        split: folder.resolve() / f"new_aan_pairs.{name}.tsv" for split, name in NAMES.items()
    }


def test_of_two_copies_the_inner_one_is_read(tmp_path):
    put(tmp_path / "lra_release" / "tsv_data")
    inner = put(tmp_path / "lra_release" / "lra_release" / "tsv_data")
    assert find(tmp_path)["val"].parent == inner


def test_none_are_nothing_and_some_are_refused(tmp_path):
    assert find(tmp_path) == {} == find(tmp_path / "absent")
    (put(tmp_path / "tsv_data") / "new_aan_pairs.eval.tsv").unlink()
    with pytest.raises(UsageError, match=r"tsv_data/new_aan_pairs\.eval\.tsv is missing beside"):
        find(tmp_path)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_documents_are_the_printed_literals_as_they_stand(tmp_path, end):
    put(tmp_path, end=end)
    pairs = list(read(tmp_path / "new_aan_pairs.eval.tsv", 4000))
    assert [label for _, _, label in pairs] == [1, 0]
    texts = [[bytes(i - 1 for i in ids) for ids in pair[:2]] for pair in pairs]
    assert texts == [
        [rb"""b'Parsing\n\nby "hand"'""", rb'''b"It's \xef\xac\x81ne"'''],
        [rb"b''", rb"""b'It\'s "odd", a \\ and \t'"""],
    ]


def test_worked_encodings():
    row = rb"1	A00-1	A00-2	b'Az\n'	b'~'"
    first, second, label = parse_row(row, 99)
    assert first == bytes([99, 40, 66, 123, 93, 111, 40])
    assert (second, label) == (bytes([99, 40, 127, 40]), 1)
    assert parse_row(row, 3) == (bytes([99, 40, 66]), bytes([99, 40, 127]), 1)


@pytest.mark.parametrize(
    ("text", "label"), [("0", 0), ("1", 1), ("0.0", 0), ("1.0", 1), ("1e0", 1), ("1.", 1)]
)
def test_labels_are_numbers(text, label):
    assert parse_row(f"{text}\tA\tB\tb'x'\tb'y'".encode(), 9)[2] == label


def test_the_last_line_may_lack_its_end(tmp_path):
    file = tmp_path / "some.tsv"
    file.write_bytes(b"\n".join(ROWS))
    assert len(list(read(file, 9))) == 2


GOOD = rb"1.0	P05-1012	W03-0102	b'first'	b'second'"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", r"five columns between tabs, found a blank line"),
        (b"\r", r"five columns between tabs, found a blank line"),
        (GOOD.rsplit(b"\t", 1)[0], r"five columns between tabs .*, found 4"),
        (GOOD + b"\tb'third'", r"five columns between tabs .*, found 6"),
        (GOOD.replace(b"\t", b","), r"five columns between tabs .*, found 1"),
        (GOOD.replace(b"first", b"fi\trst"), r"five columns between tabs .*, found 6"),
        (GOOD.replace(b"1.0", b"2.0"), "the label 0 or 1, and no header, found b'2.0'"),
        (GOOD.replace(b"1.0", b"0.5"), "the label 0 or 1"),
        (GOOD.replace(b"1.0", b"-1"), "the label 0 or 1"),
        (GOOD.replace(b"1.0", b"nan"), "the label 0 or 1"),
        (GOOD.replace(b"1.0", b"inf"), "the label 0 or 1"),
        (GOOD.replace(b"1.0", b""), "the label 0 or 1"),
        (GOOD.replace(b"1.0", b"\xd9\xa1"), "the label 0 or 1"),
        (b'"1.0"' + GOOD[3:], "found quotes around a column"),
        (b"\xef\xbb\xbf" + GOOD, "found a byte-order mark within the file"),
        (GOOD.replace(b"b'f", b"f"), r"column 4: expected a printed bytes literal"),
        (GOOD.replace(b"b'f", b"'f"), r"column 4: expected a printed bytes literal"),
        (GOOD.replace(b"b'f", b"B'f"), r"column 4: expected a printed bytes literal"),
        (GOOD.replace(b"b'f", b'b"f'), r"column 4: expected a printed bytes literal"),
        (GOOD.replace(b"b'f", b"bf"), r"column 4: expected a printed bytes literal"),
        (GOOD.replace(b"b'first'", b""), r"column 4: expected .*, found b''"),
        (GOOD.replace(b"b'first'", b"b'"), r"column 4: expected .*, found b\"b'\""),
        (GOOD[:-1], r"column 5: expected a printed bytes literal, b'…' or b\"…\", found"),
        (GOOD + b" ", "column 5: expected a printed bytes literal"),
        (GOOD[:-1] + b"\\'", "column 5: expected a printed bytes literal"),
        (GOOD[:-1] + b'"', "column 5: expected a printed bytes literal"),
        (GOOD.replace(b"st", b"\xc3\xa9"), "column 4: .* found 0xc3 at byte 6 of the column"),
        (GOOD.replace(b"sec", b"se\0"), "column 5: .* found 0x00 at byte 5 of the column"),
        (GOOD.replace(b"b's", b"b's\r"), "column 5: .* found 0x0d at byte 4 of the column"),
        (GOOD.replace(b"P05", b"P\xb05"), "column 2: expected printable ASCII, found 0xb0"),
    ],
)
def test_a_wrong_row_is_refused_with_file_and_line(tmp_path, line, message):
    file = tmp_path / "some.tsv"
    file.write_bytes(b"\n".join([*ROWS, line, GOOD]) + b"\n")
    with pytest.raises(UsageError, match=rf"some\.tsv:3: .*{message}") as raised:
        list(read(file, 9))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < len(str(file)) + 140


def test_a_header_is_refused(tmp_path):
    file = tmp_path / "some.tsv"
    file.write_bytes(b"\n".join([b"label\tid1\tid2\ttext1\ttext2", *ROWS]))
    with pytest.raises(UsageError, match=r"some\.tsv:1: .* and no header, found b'label'"):
        next(read(file, 9))


def test_an_empty_file_is_refused(tmp_path):
    file = tmp_path / "some.tsv"
    file.touch()
    with pytest.raises(UsageError, match=r"some\.tsv:1: .* the file is empty"):
        next(read(file, 9))


def test_rows_come_one_by_one_in_little_memory(tmp_path):
    file = tmp_path / "some.tsv"
    row = b"\t".join([b"1", b"A", b"B", *[b"b'" + b"x" * 20_000 + b"'"] * 2]) + b"\n"
    file.write_bytes(row * 300 + b"broken\n")  # 12 MB
    tracemalloc.start()
    pairs = read(file, 10)
    for _ in range(300):
        assert next(pairs) == (b"\x63\x28" + b"y" * 8, b"\x63\x28" + b"y" * 8, 1)
    with pytest.raises(UsageError, match=":301: "):
        next(pairs)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(official, "LONGEST", 100)
    file = tmp_path / "some.tsv"
    file.write_bytes(GOOD + b"\n" + GOOD[:-1] + b"x" * 100)
    with pytest.raises(UsageError, match=r":2: expected a line of fewer than 100 bytes"):
        list(read(file, 9))


documents = st.binary() | st.text(alphabet="'\"\\\n\ta é").map(str.encode)


@given(documents, documents, st.integers(1, 30), st.sampled_from(["", "\n", "\r\n"]))
def test_any_printed_bytes_are_read(first, second, max_len, end):
    row = f"0.0\tA\tB\t{first!r}\t{second!r}{end}".encode()
    *ids, label = parse_row(row, max_len)
    assert label == 0
    for tokens, document in zip(ids, (first, second), strict=True):
        assert bytes(i - 1 for i in tokens) == repr(document).encode()[:max_len]


@given(documents, st.data())
def test_a_printed_literal_that_is_cut_is_none(document, data):
    """Inside a literal its own quote stands only behind a backslash."""
    printed = repr(document).encode()
    assert is_literal(printed)
    assert not is_literal(printed[: data.draw(st.integers(0, len(printed) - 1))])
    assert not is_literal(printed[1:])


SIZES = {"train": 400, "val": 60, "test": 101}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The rows of a sample by split, as columns of text."""
    folder = tmp_path_factory.mktemp("sample")
    write(folder, SIZES, 0)
    files = find(folder)
    assert files["val"] == folder / "lra_release/lra_release/tsv_data/new_aan_pairs.eval.tsv"
    for split, file in files.items():
        assert len(list(read(file, 4000))) == SIZES[split]
    return {
        split: [line.split("\t") for line in file.read_text("ascii").splitlines()]
        for split, file in files.items()
    }


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8])
def test_a_sample_of_any_size_is_balanced(tmp_path, size):
    write(tmp_path, {"train": size, "val": 1, "test": 2}, 3)
    for split, file in find(tmp_path).items():
        labels = [label for *_, label in read(file, 4000)]
        expected = {"train": size, "val": 1, "test": 2}[split]
        assert len(labels) == expected and sum(labels) == (expected + 1) // 2


def test_the_sample_is_the_seeds(tmp_path):
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        write(tmp_path / name, {"train": 12, "val": 4, "test": 4}, seed)
    one, two, three = (
        [file.read_bytes() for file in find(tmp_path / name).values()]
        for name in ("one", "two", "three")
    )
    assert one == two and one != three
    with pytest.raises(FileExistsError):
        write(tmp_path / "one", {"train": 1, "val": 1, "test": 1}, 7)
    assert [file.read_bytes() for file in find(tmp_path / "one").values()] == one


def test_papers_are_shared_by_pairs_and_splits_and_pairs_are_not(sample):
    rows = [row for split in sample.values() for row in split]
    ids = {split: {i for row in sample[split] for i in row[1:3]} for split in sample}
    papers = set.union(*ids.values())
    assert len(papers) <= len(rows) / 2 and ids["train"] & ids["val"] & ids["test"]
    assert all(re.fullmatch(r"[A-Z]\d\d-\d{4}", i) for i in papers)
    assert len({frozenset(row[1:3]) for row in rows}) == len(rows)
    texts = {(i, text) for row in rows for i, text in zip(row[1:3], row[3:], strict=True)}
    assert len(texts) == len(papers) == len({text for _, text in texts})


def test_papers_look_like_the_official_texts(sample):
    texts = [text for row in sample["train"] for text in row[3:]]
    assert all(300 < len(text) < 1500 and "\\n" in text for text in texts)
    assert {text[:2] for text in texts} == {"b'", 'b"'}
    assert any("\\'" in text for text in texts) and any("\\xc3" in text for text in texts)


TERMS = {term: i for i, (_, terms) in enumerate(TOPICS) for term in terms.split()}


def terms_of(text):
    return {term for term in TERMS if term in text.lower()}


def test_linked_papers_share_terms_and_others_not_even_a_topic(sample):
    for label, *_, first, second in (row for split in sample.values() for row in split):
        terms = terms_of(first), terms_of(second)
        topics = [{TERMS[term] for term in found} for found in terms]
        assert len(topics[0]) == len(topics[1]) == 2
        assert bool(terms[0] & terms[1]) == bool(topics[0] & topics[1]) == (label == "1.0")


def test_neither_document_alone_says_anything_of_the_label(sample):
    for split in ("train", "val"):
        for column in (3, 4):
            by_paper, by_topic = Counter(), Counter()
            for row in sample[split]:
                sign = 1 if row[0] == "1.0" else -1
                by_paper[row[column]] += sign
                for topic in {TERMS[term] for term in terms_of(row[column])}:
                    by_topic[topic] += sign
            assert len(by_topic) == len(TOPICS)
            assert not any(by_paper.values()) and not any(by_topic.values())


def test_terms_are_spread_over_the_whole_text(sample):
    """Each half of a text has every one of a paper's topics, but for some short papers."""
    texts = {text for row in sample["train"] for text in row[3:]}
    whole = 0
    for text in texts:
        halves = text[: len(text) // 2], text[len(text) // 2 :]
        whole += all(len({TERMS[term] for term in terms_of(half)}) == 2 for half in halves)
    assert whole / len(texts) > 0.95
