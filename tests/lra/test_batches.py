import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from lra.data.batches import Stream, collate, evaluation_batches
from lra.data.store import Split


@given(size=st.integers(1, 40), batch=st.integers(1, 9), steps=st.integers(1, 30))
def test_a_stream_is_whole_passes_end_to_end(size, batch, steps):
    stream = list(Stream(size, batch, steps, seed=1))
    assert [len(members) for members in stream] == [batch] * steps
    flat = [member for members in stream for member in members]
    for start in range(0, len(flat) - size + 1, size):
        assert sorted(flat[start : start + size]) == list(range(size))
    assert stream == list(Stream(size, batch, steps + 5, seed=1))[:steps]


def test_seeds_give_other_orders():
    assert list(Stream(50, 10, 5, seed=1)) != list(Stream(50, 10, 5, seed=2))
    first, second = np.split(np.concatenate(list(Stream(50, 10, 10, seed=1))), 2)
    assert first.tolist() != second.tolist()


def test_batches_pad_to_their_longest():
    examples = [(np.arange(1, 4, dtype=np.uint8), 7), (np.arange(1, 21, dtype=np.uint8), 2)]
    tokens, keep, labels = collate(examples, max_len=100)
    assert tokens.shape == keep.shape == (2, 32)  # 20, rounded up to a multiple of 16
    assert keep.sum(1).tolist() == [3, 20] and keep[0, :3].all()
    assert tokens[0, :3].tolist() == [1, 2, 3] and not tokens[~keep].any()
    assert labels.tolist() == [7, 2] and tokens.dtype == torch.long
    assert collate(examples, max_len=25)[0].shape == (2, 25)


def test_evaluation_sees_each_example_once():
    split = Split.of([(bytes([1 + i % 15] * (1 + i)), i % 10) for i in range(23)])
    batches = list(evaluation_batches(split, batch=5, max_len=64))
    assert [len(labels) for _, _, labels in batches] == [5, 5, 5, 5, 3]
    lengths = torch.cat([keep.sum(1) for _, keep, _ in batches])
    assert lengths.tolist() == list(range(1, 24))
