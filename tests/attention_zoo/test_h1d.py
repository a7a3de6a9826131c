"""What H-Transformer-1D promises beyond the contract."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention
from attention_zoo.attentions.h1d import _blocks

D = 4
# The level of each pair for blocks of two clusters, by hand: the first three block diagonals are
# level 0, then come blocks of two clusters of two, then of two clusters of four tokens.
LEVELS = """
0000111122222222
0000111122222222
0000001122222222
0000001122222222
1100000011112222
1100000011112222
1111000000112222
1111000000112222
2222110000001111
2222110000001111
2222111100000011
2222111100000011
2222222211000000
2222222211000000
2222222211110000
2222222211110000
"""


def build(rank, N, spec="h1d"):
    return build_attention(f"{spec}:rank={rank}", heads=1, head_dim=D, max_len=N).double()


def qkv(N):
    return torch.randn(3, 1, 1, N, D, dtype=torch.float64).unbind()


def test_sixteen_tokens_in_blocks_of_two_clusters():
    q, k, _ = qkv(16)
    logits = torch.empty(16, 16, dtype=torch.float64)
    for i, row in enumerate(LEVELS.split()):
        for j, level in enumerate(row):
            size = 2 ** int(level)
            mean_q, mean_k = (
                x[0, 0, t // size * size : (t // size + 1) * size].mean(0)
                for x, t in ((q, i), (k, j))
            )
            logits[i, j] = mean_q @ mean_k / math.sqrt(D)
    assert_close(build(2, 16)(q, k).dense()[0, 0], logits.softmax(-1))


@settings(max_examples=15)
@given(N=st.integers(1, 24), data=st.data())
def test_two_blocks_are_softmax_attention(N, data):
    rank = 2 * data.draw(st.integers(-(-N // 4), 16))
    q, k, _ = qkv(N)
    exact = build_attention("softmax", heads=1, head_dim=D, max_len=N)(q, k).dense()
    assert_close(build(rank, N)(q, k).dense(), exact)


@settings(max_examples=15)
@given(N=st.integers(1, 300), rank=st.sampled_from([2, 4, 6]))
def test_inside_its_blocks_and_their_neighbours_it_is_exact(N, rank):
    q, k, _ = qkv(N)
    logs = build(rank, N)(q, k).dense()[0, 0].log()
    scores = (q @ k.mT)[0, 0] / math.sqrt(D)
    block = torch.arange(N) // rank
    near = (block[:, None] - block).abs() <= 1
    difference = logs - scores  # the log of the row's total, the same in a row
    spread = (difference - difference.diagonal()[:, None])[near]
    assert_close(spread, torch.zeros_like(spread))


@settings(max_examples=15)
@given(N=st.integers(1, 300), rank=st.sampled_from([2, 4, 16]))
def test_tokens_that_are_alike_in_their_far_clusters_are_softmax_attention(N, rank):
    """Where q and k are the same for all tokens, clusters lose nothing."""
    q, k, _ = qkv(1)
    q, k = q.expand(1, 1, N, D), k.expand(1, 1, N, D)
    assert_close(build(rank, N)(q, k).dense(), torch.full((1, 1, N, N), 1 / N, dtype=q.dtype))


@given(N=st.integers(1, 10**6), rank=st.sampled_from([2, 16, 64]))
def test_the_last_level_has_two_blocks_and_all_together_few(N, rank):
    numbers = _blocks(N, rank)
    assert numbers[-1] == 2 and numbers[0] * rank >= N
    assert all(2 * coarse >= fine for fine, coarse in pairwise(numbers))
    assert sum(numbers) <= 2 * -(-N // rank) + 4 * len(numbers)


@pytest.mark.parametrize("rank", [0, 1, 7])
def test_an_odd_rank_is_refused(rank):
    with pytest.raises(UsageError, match=f"h1d needs an even rank ≥ 2, not {rank}"):
        build(rank, 16)
