"""IMDb reviews: the official folders, and made-up reviews in their format."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.tasks.text.official import NAMES, encode, find, read
from lra.tasks.text.sample import CLOSINGS, OPENINGS, WORDS, write

REVIEWS = {
    "train/pos": {"2_10.txt": "Bon<br /><br />Café", "10_7.txt": "second", "0_8.txt": "First."},
    "train/neg": {"3_1.txt": "WORSE", "1_4.txt": "bad\n"},
    "test/pos": {"12499_9.txt": "\u2603 warm"},
    "test/neg": {"0_2.txt": "cold", "7_3.txt": "\tcold \x85"},
}


@pytest.fixture
def root(tmp_path):
    """The official tree, in the official format."""
    for folder, files in REVIEWS.items():
        (tmp_path / "aclImdb" / folder).mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / "aclImdb" / folder / name).write_bytes(text.encode())
    return tmp_path / "aclImdb"


def test_the_folders_are_found_around_or_in_the_data_folder(root):
    for data_dir in (root, root.parent):
        assert find(data_dir) == {name: root / name for name in NAMES}


def test_where_there_are_none_nothing_is_found(tmp_path):
    (tmp_path / "aclImdb" / "train" / "unsup").mkdir(parents=True)
    assert find(tmp_path) == {} == find(tmp_path / "absent")


def test_some_of_the_folders_are_refused(root):
    for path in (root / "test" / "neg").iterdir():
        path.unlink()
    (root / "test" / "neg").rmdir()
    for data_dir in (root, root.parent):
        with pytest.raises(UsageError, match="aclImdb/test/neg is missing beside the other"):
            find(data_dir)


def test_reviews_are_in_the_order_of_label_and_number(root):
    (root / "train" / "pos" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "train" / "pos" / "._0_8.txt").write_bytes(b"\0\5\x16\7")
    (root / "train" / "labeledBow.feat").write_text("9 0:9")
    assert read(find(root)) == {
        "train": [
            (b"bad\n", 0),
            (b"WORSE", 0),
            (b"First.", 1),
            (b"Bon<br /><br />Caf\xc3\xa9", 1),
            (b"second", 1),
        ],
        "test": [(b"cold", 0), (b"\tcold \xc2\x85", 0), (b"\xe2\x98\x83 warm", 1)],
    }


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train/pos/5_6.txt", b"x", r"<id>_<rating>\.txt with a rating of 7 to 10"),
        ("train/pos/5_11.txt", b"x", "a rating of 7 to 10"),
        ("train/pos/5_4.txt", b"x", "a rating of 7 to 10"),
        ("train/pos/5_07.txt", b"x", "a rating of 7 to 10"),
        ("test/neg/5_5.txt", b"x", "a rating of 1 to 4"),
        ("test/neg/5_0.txt", b"x", "a rating of 1 to 4"),
        ("test/neg/5_8.txt", b"x", "a rating of 1 to 4"),
        ("test/neg/5.txt", b"x", "expected only files named"),
        ("test/neg/05_1.txt", b"x", "expected only files named"),
        ("test/neg/-5_1.txt", b"x", "expected only files named"),
        ("test/neg/5_1.txt.gz", b"x", "expected only files named"),
        ("test/neg/5_1.TXT", b"x", "expected only files named"),
        ("test/neg/\u0665_1.txt", b"x", "expected only files named"),
        ("test/neg/.5_1.txt.swp", b"x", "expected only files named"),
        ("test/neg/Thumbs.db", b"x", "expected only files named"),
        ("test/neg/7_1.txt", b"x", r"one review of an id, found 7_\d\.txt too"),
        ("train/neg/5_1.txt", b"", "expected the text of a review, the file has none"),
        ("train/neg/5_1.txt", b" \r\n", "expected the text of a review, the file has none"),
        ("train/neg/5_1.txt", b"caf\xe9 noir", "expected UTF-8, found 0xe9 at byte 4"),
        ("train/neg/5_1.txt", b"cut \xe2\x98", "expected UTF-8, found 0xe2 at byte 5"),
        ("train/neg/5_1.txt", b"\xff\xfeb\0a\0d\0", "expected UTF-8, found UTF-16 text"),
        ("train/neg/5_1.txt", b"long \xc0\xaf", "expected UTF-8, found 0xc0 at byte 6"),
    ],
)
def test_a_wrong_file_is_refused_by_name(root, file, content, message):
    (root / file).write_bytes(content)
    with pytest.raises(UsageError, match=message) as raised:
        read(find(root))
    folder = str((root / file).parent)
    assert str(raised.value).startswith(folder) and "\n" not in str(raised.value)
    assert (root / file).name in str(raised.value)


def test_a_folder_in_the_place_of_a_review_is_refused(root):
    (root / "train" / "neg" / "5_1.txt").mkdir()
    with pytest.raises(UsageError, match=r"5_1\.txt: expected only files"):
        read(find(root))


def test_an_empty_folder_is_refused(root):
    for path in (root / "test" / "pos").iterdir():
        path.unlink()
    (root / "test" / "pos" / ".DS_Store").touch()
    with pytest.raises(UsageError, match="test/pos: expected reviews, the folder is empty"):
        read(find(root))


def test_worked_encodings():
    assert encode(b"Ab<br />", 99) == bytes([66, 99, 61, 99, 115, 33, 48, 63])
    assert encode("é\U0010ffff".encode(), 99) == bytes([196, 170, 245, 144, 192, 192])
    assert encode(b"\0\t\n", 2) == bytes([1, 10])
    assert encode(b"", 4) == b""


@given(st.text(), st.integers(1, 40))
def test_ids_decode_to_the_beginning_of_any_text(text, max_len):
    ids = encode(text.encode(), max_len)
    assert len(ids) == min(len(text.encode()), max_len)
    assert all(1 <= i <= 245 for i in ids)
    back = bytes(i - 1 for i in ids)
    assert text.encode().startswith(back)
    assert text.startswith(back.decode(errors="ignore"))


SIZES = {"train": 2400, "test": 31}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write(folder, SIZES, 0)
    return folder


@pytest.fixture(scope="module")
def sample(folder):
    return read(find(folder))


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_sample_is_the_seeds(tmp_path):
    sizes = {"train": 6, "test": 4}
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        write(tmp_path / name, sizes, seed)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two and len(one) == 10
    assert not set(one.values()) & set(three.values())


def test_the_sample_is_balanced_and_no_review_occurs_twice(sample):
    for split, positive in (("train", 1200), ("test", 15)):
        labels = [label for _, label in sample[split]]
        assert (len(labels), sum(labels)) == (SIZES[split], positive)
    texts = [text for split in sample.values() for text, _ in split]
    assert len(set(texts)) == len(texts)


def test_the_sample_looks_like_reviews(sample):
    texts = [text for text, _ in sample["train"]]
    assert min(map(len, texts)) > 200 and 1200 < max(map(len, texts)) < 1500
    assert 0.3 < sum(b"<br /><br />" in text for text in texts) / len(texts) < 0.6
    assert 0.5 < sum(not text.isascii() for text in texts) / len(texts) < 1


def accuracy(rule, split):
    return sum(rule(text.decode()) == label for text, label in split) / len(split)


def majority_of_words(text):
    """For (1) or against (0), by the words of praise and of blame alone."""
    words = re.findall(r"\w+", text)
    praise = sum(word in WORDS[1].split() for word in words)
    return int(praise > len([word for word in words if word in WORDS[0].split()]))


def test_words_alone_are_right_as_often_as_was_designed(sample):
    """A remark agrees with probability 0.65; the majority of n is a binomial tail. Of 2,400
    reviews: four standard errors are 0.034."""
    designed = 0.0
    for n in (3, 5, 7, 9):
        tail = (math.comb(n, k) * 0.65**k * 0.35 ** (n - k) for k in range((n + 1) // 2, n + 1))
        designed += sum(tail) / 4
    assert abs(designed - 0.778) < 0.001
    assert abs(accuracy(majority_of_words, sample["train"]) - designed) < 0.034


def opening(text):
    """Whether the first sentence reverses the last."""
    (found,) = {kind for kind in OPENINGS if text.startswith(OPENINGS[kind])}
    return found


def closing(text):
    (found,) = {kind for kind in CLOSINGS if text.endswith(CLOSINGS[kind])}
    return found


def test_opening_and_closing_together_say_the_label_and_neither_does_alone(sample):
    train = sample["train"]
    assert accuracy(lambda text: int(opening(text)), train) == 0.5
    assert accuracy(closing, train) == 0.5
    assert accuracy(lambda text: closing(text) ^ opening(text), train) == 1
    for text in (text.decode() for text, _ in train):
        first = next(x for x in OPENINGS[opening(text)] if text.startswith(x))
        last = next(x for x in CLOSINGS[closing(text)] if text.endswith(x))
        assert 200 < len(text) - len(first) - len(last) < 1300


def test_no_word_of_the_frame_or_of_a_fact_is_praise_or_blame(sample):
    words = {kind: set(WORDS[kind].split()) for kind in WORDS}
    assert words[0].isdisjoint(words[1])
    for text, _ in sample["train"][:200]:
        for sentence in re.findall(r"[^.!>]+(?:\.\.\.|[.!])", text.decode()):
            kinds = [k for k in words if words[k] & set(re.findall(r"\w+", sentence))]
            assert kinds == ([1] if sentence[-1] == "!" else [0] if sentence[-3:] == "..." else [])


def test_the_rating_agrees_with_the_folder_and_takes_all_values(folder):
    for side, ratings in (("pos", {7, 8, 9, 10}), ("neg", {1, 2, 3, 4})):
        files = (folder / "aclImdb" / "train" / side).iterdir()
        assert {int(file.stem.split("_")[1]) for file in files} == ratings


def test_a_sample_is_written_whole_or_not_at_all(tmp_path):
    with pytest.raises(UsageError, match=r"set task\.test to 2 or more"):
        write(tmp_path, {"train": 4, "test": 1}, 0)
    assert not list(tmp_path.iterdir())
    write(tmp_path, {"train": 2, "test": 3}, 0)
    before = contents(tmp_path)
    with pytest.raises(FileExistsError):
        write(tmp_path, {"train": 2, "test": 3}, 1)
    assert contents(tmp_path) == before and len(before) == 5
