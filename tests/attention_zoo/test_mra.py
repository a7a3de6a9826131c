"""What MRA-2 promises beyond the contract."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention

D = 4


def build(options, N, heads=1):
    return build_attention(f"mra:{options}", heads=heads, head_dim=D, max_len=N).double()


def qkv(N, B=2, H=1):
    return torch.randn(3, B, H, N, D, dtype=torch.float64).unbind()


def test_three_blocks_of_two_by_hand():
    """The logits are 2·q·k. Besides the diagonal J has the largest of rows 0 and 1, in column 2,
    and (2, 1), which is 2 below its row's largest; (0, 1) is 4 below."""
    q = torch.tensor([1, 1, 1, 1, 0.5, 0.5], dtype=torch.float64)
    k = torch.tensor([-1, 1, 0.5, 1.5, 2, 4], dtype=torch.float64)  # means 0, 1, 3
    q, k = (x.view(1, 1, 6, 1).expand(-1, -1, -1, D) for x in (q, k))
    logits = [[-2, 2, 2, 2, 4, 8]] * 2 + [[0, 0, 1, 3, 4, 8]] * 2 + [[0, 0, 0.5, 1.5, 2, 4]] * 2
    expected = torch.tensor(logits, dtype=torch.float64).softmax(-1)
    assert_close(build("block=2,blocks=2,first=0", 6)(q, k).dense()[0, 0], expected)


@settings(max_examples=15)
@given(N=st.integers(1, 40), mode=st.sampled_from(["full", "sparse"]), block=st.integers(1, 9))
def test_with_every_pair_it_is_softmax_attention(N, mode, block):
    q, k, _ = qkv(N)
    keep = torch.arange(N) < torch.tensor([[N], [N // 2]])
    everything = f"block={block},blocks={max(4, -(-N // block))},mode={mode}"
    exact = build_attention("softmax", heads=1, head_dim=D, max_len=N)(q, k, keep).dense()
    ours = build(everything, N)(q, k, keep).dense()
    rows = keep[:, None, :, None]
    assert_close(ours * rows, exact * rows)


def test_what_is_not_chosen_has_the_weight_of_its_block():
    N, b = 24, 4
    q, k, _ = qkv(N, B=1)
    matrix = build("block=4,blocks=2,first=0", N)(q, k).dense()[0, 0]
    tiles = matrix.unflatten(0, (-1, b)).unflatten(2, (-1, b)).transpose(1, 2)  # (n, n, b, b)
    flat = (tiles - tiles[..., :1]).abs().amax((2, 3)) < 1e-12
    assert not flat.diagonal().any()
    assert flat.sum() == (N // b) ** 2 - 2 * N // b
    # In a row of the matrix, such weights are to each other as the exponentials of the means.
    means = torch.stack([x[0, 0].unflatten(0, (-1, b)).mean(1) for x in (q, k)])
    means = means[0] @ means[1].T / math.sqrt(D)
    x = int(flat.sum(1).argmax())
    y, z = flat[x].nonzero().flatten()[:2]
    assert_close(tiles[x, y, 0, 0] / tiles[x, z, 0, 0], (means[x, y] - means[x, z]).exp())


def test_the_sparse_form_is_zero_outside_and_every_row_has_its_largest_block():
    N, b = 40, 4
    q, k, _ = qkv(N, B=1)
    matrix = build("block=4,blocks=2,first=0,mode=sparse", N)(q, k).dense()[0, 0]
    tiles = matrix.unflatten(0, (-1, b)).unflatten(2, (-1, b)).sum((1, 3))
    means = torch.stack([x[0, 0].unflatten(0, (-1, b)).mean(1) for x in (q, k)])
    largest = (means[0] @ means[1].T).argmax(1)
    assert (tiles > 0).sum() == 2 * N // b
    assert (tiles.diagonal() > 0).all()
    assert (tiles.gather(1, largest[:, None]) > 0).all()


def test_the_first_blocks_are_looked_at_and_look_at_all():
    q, k, _ = qkv(32, B=1)
    matrix = build("block=4,blocks=3,first=1,diagonal=0,mode=sparse", 32)(q, k).dense()[0, 0]
    assert (matrix[:4] > 0).all() and (matrix[:, :4] > 0).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("blocks=3", "mra needs blocks ≥ 4 with first=1 and diagonal=1, not 3"),
        ("blocks=5,diagonal=4,first=0", "mra needs blocks ≥ 6 with first=0 and diagonal=4, not 5"),
        ("block=0", "mra needs block ≥ 1, first ≥ 0 and diagonal ≥ 0, not 0, 1 and 1"),
    ],
)
def test_what_it_cannot_do_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        build(options, 16)
