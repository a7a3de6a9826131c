from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.data.batches import Padding, Stream, collate, evaluation_batches

from .tiny import split_of


@given(size=st.integers(1, 40), batch=st.integers(1, 9), steps=st.integers(1, 30))
def test_a_stream_is_whole_passes_end_to_end(size, batch, steps):
    size = max(size, batch)
    stream = list(Stream(size, batch, steps, seed=1))
    assert [len(members) for members in stream] == [batch] * steps
    flat = [member for members in stream for member in members]
    for start in range(0, len(flat) - size + 1, size):
        assert sorted(flat[start : start + size]) == list(range(size))
    assert stream == list(Stream(size, batch, steps + 5, seed=1))[:steps]


@given(batch=st.integers(1, 9), bucket=st.integers(0, 4))
def test_no_step_sees_an_example_twice_and_no_batch_is_larger_than_the_data(batch, bucket):
    size = batch * max(1, bucket)
    how = {"bucket": bucket, "lengths": np.arange(size) // 2}
    assert all(len(set(members)) == batch for members in Stream(size, batch, 12, seed=1, **how))
    with pytest.raises(UsageError) as error:
        Stream(size - 1, batch, 12, seed=1, **how)
    together = f" × training.bucket={bucket}" if bucket else ""
    assert f"training.batch={batch}{together} is more than the {size - 1} ex" in str(error.value)
    least = f"bucket={bucket - 1}" if bucket > 1 else f"batch={size - 1}"
    assert str(error.value).endswith(f"use --set training.{least} or less")


def test_seeds_give_other_orders():
    assert list(Stream(50, 10, 5, seed=1)) != list(Stream(50, 10, 5, seed=2))
    first, second = np.split(np.concatenate(list(Stream(50, 10, 10, seed=1))), 2)
    assert first.tolist() != second.tolist()


def test_batches_pad_to_their_longest():
    examples = list(split_of([(bytes(range(1, 4)), 7), (bytes(range(1, 21)), 2)]))
    tokens, keep, labels = collate(examples, Padding(100))
    assert tokens.shape == keep.shape == (2, 32)  # 20, rounded up to a multiple of 16
    assert keep.sum(1).tolist() == [3, 20] and keep[0, :3].all()
    assert tokens[0, :3].tolist() == [1, 2, 3] and not tokens[~keep].any()
    assert labels.tolist() == [7, 2] and tokens.dtype == torch.long
    assert collate(examples, Padding(25))[0].shape == (2, 25)


def test_evaluation_sees_each_example_once_the_longest_first():
    split = split_of([(bytes([1 + i % 15] * (1 + i)), i % 10) for i in range(23)])
    batches = list(evaluation_batches(split, 5, Padding(64)))
    assert [len(labels) for _, _, labels in batches] == [5, 5, 5, 5, 3]
    lengths = torch.cat([keep.sum(1) for _, keep, _ in batches])
    assert lengths.tolist() == list(range(23, 0, -1))
    parts = list(evaluation_batches(split, 5, Padding(64), micro=2, drop_last=True))
    lengths = [keep.sum(1).tolist() for _, keep, _ in parts]
    assert lengths == [[n, n - 1] for n in range(20, 0, -2)]  # the 20 in whole batches


def test_what_counts_as_padding_is_declared_and_not_guessed():
    black = list(split_of([(bytes([0, 9, 0, 3]), 1)]))
    tokens, keep, _ = collate(black, Padding(4))
    assert tokens.tolist() == [[0, 9, 0, 3]] and keep.all()
    tokens, keep, _ = collate(black, Padding(4, masked=0))
    assert tokens.tolist() == [[0, 9, 0, 3]] and keep.tolist() == [[False, True, False, True]]
    tokens, keep, _ = collate(black, Padding(8, token=5))
    assert tokens.tolist() == [[0, 9, 0, 3, 5, 5, 5, 5]] and keep.sum() == 4


def test_pairs_are_batches_of_two_sequences():
    pairs = list(split_of([(b"\1\2", b"\3", 1), (b"\4", b"\5\6\7", 0)]))
    tokens, keep, labels = collate(pairs, Padding(3))
    assert tokens.tolist() == [[[1, 2, 0], [3, 0, 0]], [[4, 0, 0], [5, 6, 7]]]
    assert keep.sum(-1).tolist() == [[2, 1], [1, 3]] and labels.tolist() == [1, 0]


@given(size=st.integers(2, 60), batch=st.integers(1, 7), bucket=st.integers(1, 6))
def test_buckets_share_the_same_examples_out_by_length(size, batch, bucket):
    size = max(size, batch * bucket)
    steps = 4 * bucket
    lengths = np.random.default_rng(size).integers(1, 99, size)
    plain = list(Stream(size, batch, steps, seed=1))
    bucketed = list(Stream(size, batch, steps, seed=1, bucket=bucket, lengths=lengths))
    assert [len(members) for members in bucketed] == [batch] * steps
    for start in range(0, steps, bucket):
        window = slice(start, start + bucket)
        assert sorted(chain(*plain[window])) == sorted(chain(*bucketed[window]))
        spans = sorted((lengths[m].min(), lengths[m].max()) for m in bucketed[window])
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
    resumed = Stream(size, batch, steps, seed=1, start=bucket + 1, bucket=bucket, lengths=lengths)
    assert list(resumed) == bucketed[bucket + 1 :]
