"""Parts of the training split: nested, stratified, a function of the data alone."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.config import Place
from lra.data.fractions import nested_order, require_fraction, with_fraction
from lra.grid.jobs import Run
from lra.results.agreement import agreeing
from lra.results.comparable import comparable_with, conditions
from lra.results.published import read_published
from lra.results.record import Record, read_record, write_record
from lra.results.summary import accuracy_groups
from lra.results.tables import tables_of
from lra.run.data import require_batch
from lra.run.describe import command, fail
from lra.run.job import Job

from .test_results import failure, record
from .tiny import PROTOCOL, config, split_of, store

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda x: np.array(x, np.uint8))
PART = record().data


def of(data, **changes):
    return replace(data, **changes)


@given(LABELS, st.integers(0, 3))
def test_every_beginning_of_the_order_has_each_label_s_share(labels, data):
    """Webster's method: nobody outside has a greater claim, (j − ½)/n_c, than somebody inside."""
    order = nested_order(labels, f"{data:016x}")
    assert sorted(order) == list(range(len(labels)))
    counts = np.bincount(labels).tolist()
    for k in range(1, len(labels) + 1):
        got = np.bincount(labels[order[:k]], minlength=len(counts)).tolist()
        pairs = [(s, n) for s, n in zip(got, counts, strict=True) if n]
        last_in = max(Fraction(2 * s - 1, n) for s, n in pairs if s)
        assert all(last_in <= Fraction(2 * s + 1, n) for s, n in pairs if s < n)


def made_up(labels, fingerprint="f" * 16):
    split = split_of([(bytes([1 + i % 200, i // 200]), label) for i, label in enumerate(labels)])
    whole = store()
    splits = {"train": split, "val": whole.splits["val"], "test": whole.splits["test"]}
    return replace(whole, splits=splits, fingerprint=fingerprint)


def members(store):
    return store.splits["train"].members[:, 0].tolist()


@given(st.integers(2, 300), st.floats(0.05, 1), st.floats(0.05, 1), st.integers(0, 2**64 - 1))
def test_a_smaller_fraction_lies_within_a_larger_one(n, first, second, data):
    whole = made_up(np.zeros(n, np.uint8), f"{data:016x}")
    small, large = sorted((first, second))
    if round(small * n):
        parts = [members(with_fraction(whole, part)) for part in (small, large, 1.0)]
        assert set(parts[0]) <= set(parts[1]) <= set(parts[2])
        assert [len(part) for part in parts] == [round(small * n), round(large * n), n]
        assert parts[0] == sorted(parts[0]) == members(with_fraction(whole, small))


def test_labels_go_with_their_examples_and_other_data_give_other_examples():
    labels = np.arange(200) % 10
    parts = [with_fraction(made_up(labels, name * 16), 0.3) for name in "ab"]
    for part in parts:
        assert np.bincount(part.splits["train"].labels).tolist() == [6] * 10
        assert (part.splits["train"].labels == np.array(members(part)) % 10).all()
        assert part.splits["test"] is store().splits["test"]
    assert members(parts[0]) != members(parts[1])


def test_the_order_is_the_same_on_every_machine():
    assert nested_order(np.arange(12) % 3, "f" * 16).tolist() == [
        11,
        1,
        6,
        5,
        9,
        10,
        7,
        2,
        3,
        4,
        8,
        0,
    ]


def test_a_class_without_an_example_is_one_line():
    whole = made_up(np.array([0] * 90 + [1] * 9 + [7]))
    with pytest.raises(UsageError, match=r"keeps 30 of 100 .* none of label 7: use 0\.\d+ or more"):
        with_fraction(whole, 0.3)
    with pytest.raises(UsageError, match=r"none of label 1, 7") as raised:
        with_fraction(whole, 0.03)
    enough = float(str(raised.value).split("use ")[1].split(" ")[0])
    assert set(with_fraction(whole, enough).splits["train"].labels) == {0, 1, 7}
    with pytest.raises(UsageError):
        with_fraction(whole, enough - 0.01)


def test_a_batch_without_examples_is_one_line():
    with pytest.raises(UsageError, match=r"0\.03 keeps 6 of 200 .* training.batch=8: use 0\.04 or"):
        require_fraction(200, 0.03, 8)
    with pytest.raises(
        UsageError, match=r"training.batch=8 × training.bucket=4: use 0\.16 or more"
    ):
        require_fraction(200, 0.1, 8, 4)
    require_fraction(200, 0.04, 8)
    with pytest.raises(UsageError, match=r"--train-fraction 0\.03 keeps 6 of 200"):
        require_batch(config(train_fraction=0.03), store())


def test_identities_of_the_whole_split_are_those_of_before():
    """Computed by the commit before there were fractions."""
    whole = config()
    assert whole.identity == BEFORE
    assert "train-fraction" not in command(whole)
    part = config(train_fraction=0.1)
    assert part.identity != whole.identity != config(train_fraction=0.5).identity
    assert command(part).endswith(" --train-fraction 0.1")
    assert part.directory(store().path).name == f"listops-linear-quick-f0.1-s0-{part.identity[:8]}"


BEFORE = "3ddb7987dc09f67c"


def test_fractions_share_what_a_step_costs():
    job = Job(config(), Place(store().path, store().path))
    parts = [
        Run(replace(job, config=config("linear+gfsa", 1, train_fraction=f)), "") for f in PARTS
    ]
    assert {run.family for run in parts} == {Run(job, "").family}


def test_a_record_without_a_fraction_is_of_the_whole_split(tmp_path):
    write_record(tmp_path, record())
    path = tmp_path / "record.json"
    text = path.read_text()
    older = text.replace(',\n  "train_fraction": 1.0', "")
    assert older != text
    path.write_text(older)
    assert read_record(path) == record() and isinstance(read_record(path), Record)
    for wrong in ("0.0", "1.5", '"half"'):
        path.write_text(text.replace('"train_fraction": 1.0', f'"train_fraction": {wrong}'))
        with pytest.raises(UsageError, match=r"data\.train_fraction"):
            read_record(path)


def test_a_failure_says_its_fraction_too(tmp_path):
    variant = config(train_fraction=0.5)
    fail(variant, tmp_path, "killed", "once")
    found = read_record(variant.directory(tmp_path) / "failure.json")
    assert found.data.train_fraction == 0.5


def test_a_part_stands_beside_no_published_figure():
    whole, half = (
        record("softmax", data=replace(PART, source="official", train_fraction=f))
        for f in (1.0, 0.5)
    )
    reasons = [agreeing(group, read_published()).reason for group in accuracy_groups([whole, half])]
    words = "ours was trained on 50 % of the training split, theirs on all of it"
    assert words in reasons and len(set(reasons)) == 2


PARTS = [0.1, 0.5, 1.0]
RUNS = [
    record(name, seed, accuracy + 0.1 * part, data=of(PART, train_fraction=part))
    for name, accuracy in (("linear", 0.2), ("linear+gfsa", 0.3))
    for seed in (0, 1)
    for part in PARTS
]


def test_tables_never_mix_fractions():
    assert len(accuracy_groups(RUNS)) == 3
    assert len({conditions(run) for run in RUNS}) == 3
    for kind in ("accuracy", "pairs", "cost"):
        tables = tables_of(RUNS, [kind])
        assert len(tables) == 3
        said = [" ".join((table.title, *table.caption)) for table in tables]
        assert [
            sum(f"trained on {p} % of the training split" in one for one in said) for p in (10, 50)
        ]
        assert sum("training split" in one for one in said) == 2
    assert (
        comparable_with(RUNS[0]) == "not comparable with LRA: trained on 10 % of the training split"
    )
    made_up = replace(RUNS[0], data=replace(RUNS[0].data, source="sample"))
    assert comparable_with(made_up) == (
        "not comparable with LRA: made-up data in the official format; trained on 10 % of the "
        "training split"
    )
    assert tables_of(RUNS[2:3], ["fractions"]) == []


def test_the_table_of_fractions():
    (table,) = tables_of(
        [*RUNS, failure("softmax", data=of(PART, train_fraction=0.5))], ["fractions"]
    )
    assert table.columns == ("attention", "10 %", "50 %", "100 %")
    texts = [[cell.text for cell in row] for row in table.rows]
    assert texts[:3] == [
        ["linear", "21.0 ± 0.0", "25.0 ± 0.0", "30.0 ± 0.0"],
        ["linear+gfsa", "31.0 ± 0.0", "35.0 ± 0.0", "40.0 ± 0.0"],
        ["softmax", "–", "– (1 out of memory)", "–"],
    ]
    assert [row[1].best for row in table.rows[:2]] == [False, True]
    assert {row["train_fraction"] for row in table.numbers} == set(PARTS)
    assert any("the smaller part within the larger" in line for line in table.caption)
    other = replace(RUNS[0], protocol=PROTOCOL)
    assert tables_of([other, *RUNS[1:2]], ["fractions"]) == []
