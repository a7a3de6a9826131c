"""What Luna promises beyond the contract."""

import math

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention


def build(rank, P, D):
    attention = build_attention(f"luna:rank={rank}", heads=1, head_dim=D, max_len=8).double()
    attention.P.data = torch.tensor(P, dtype=torch.float64).view(1, rank, D)
    return attention


def test_two_slots_of_three_tokens_by_hand():
    """With keys that are multiples of ln 2 all exponentials are powers of 2."""
    attention = build(2, [1.0, -1.0], D=1)
    k = math.log(2) * torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64).view(1, 1, 3, 1)
    packing = torch.tensor([[4, 2, 1], [1, 2, 4]], dtype=torch.float64) / 7
    slots = packing @ k[0, 0]  # ± 3/7 ln 2
    q = torch.tensor([0.0, 7.0, -7.0], dtype=torch.float64).view(1, 1, 3, 1)
    odds = torch.tensor([1.0, 2.0**6, 2.0**-6], dtype=torch.float64)  # exp(q · 6/7 ln 2)
    unpacking = torch.stack([odds / (1 + odds), 1 / (1 + odds)], 1)
    assert_close(slots[0, 0], torch.tensor(3 / 7 * math.log(2), dtype=torch.float64))
    assert_close(attention(q, k).dense()[0, 0], unpacking @ packing)


def test_queries_of_zero_pack_the_mean_of_the_real_tokens():
    attention = build(3, [[0.0] * 4] * 3, D=4)
    q, k, v = torch.randn(3, 2, 1, 5, 4, dtype=torch.float64).unbind()
    operator = attention(q, k, torch.arange(5) < torch.tensor([[5], [2]]))
    assert_close(operator @ v, operator.mean(v))


def test_one_slot_gives_every_token_the_same():
    q, k, v = torch.randn(3, 1, 1, 6, 2, dtype=torch.float64).unbind()
    P = torch.randn(2, dtype=torch.float64)
    weights = (k[0, 0] @ P / math.sqrt(2)).softmax(0)
    assert_close((build(1, P.tolist(), D=2)(q, k) @ v)[0, 0], (weights @ v[0, 0]).expand(6, 2))


def test_a_rank_of_none_is_refused():
    with pytest.raises(UsageError, match="luna needs rank ≥ 1, not 0"):
        build_attention("luna:rank=0", heads=1, head_dim=2, max_len=8)
