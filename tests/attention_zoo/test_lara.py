"""What LARA promises beyond the contract."""

import math

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention


def build(options, **sizes):
    attention = build_attention(f"lara:{options}", **{"heads": 1, "max_len": 8, **sizes})
    return attention.double().eval()


def test_one_landmark_gives_every_token_the_same():
    q, k, v = torch.randn(3, 1, 1, 6, 4, dtype=torch.float64).unbind()
    omega = q.mean(2) + k.mean(2)  # (1, 1, 4)
    weights = ((k[0, 0] @ omega[0, 0] - k[0, 0].square().sum(-1) / 2) / 2).softmax(0)
    for kind in ("balanced", "optimal"):
        operator = build(f"landmarks=1,proposal=mean,weights={kind}", head_dim=4)(q, k)
        assert_close((operator @ v)[0, 0], (weights @ v[0, 0]).expand(6, 4))


def test_landmarks_that_are_equal_are_one():
    """Segments of the same tokens have the same μ, and all samples the same weight."""
    q, k = (x.repeat(1, 1, 3, 1) for x in torch.randn(2, 1, 1, 2, 4, dtype=torch.float64))
    one, three = (
        build(f"landmarks={C},proposal=mean,weights=balanced", head_dim=4)(q, k) for C in (1, 3)
    )
    assert_close(three.dense(), one.dense())


def test_two_tokens_by_hand():
    """D = 1, q = 0 and k = (a, 0), so that μ = (a, 0). With e = exp(a²/2): ξ(k, ω) is (e, 1) for
    ω = a and (1/e, 1) for 0; so is p, and Σ p = Σ ξ(k, ω) leaves both samples the same weight."""
    a = math.sqrt(2 * math.log(3))  # e = 3
    k = torch.tensor([a, 0.0], dtype=torch.float64).view(1, 1, 2, 1)
    matrix = build("landmarks=2,proposal=mean,weights=balanced", head_dim=1)(0 * k, k).dense()
    row = (torch.tensor([3 / 4, 1 / 4]) + torch.tensor([1 / 4, 3 / 4])) / 2
    assert_close(matrix[0, 0], row.double().expand(2, 2))


def test_training_draws_samples_about_the_landmarks():
    q, k = torch.randn(2, 1, 1, 8, 4, dtype=torch.float64).unbind()
    attention = build("landmarks=2", head_dim=4)
    still = attention(q, k).dense()
    attention.train()
    assert not torch.allclose(attention(q, k).dense(), still)
    assert_close(attention(q, k).dense(), attention.reference(q, k, None))
    attention.noise.zero_()
    assert_close(attention(q, k).dense(), still)


def test_no_landmark_is_refused():
    with pytest.raises(UsageError, match="lara needs landmarks ≥ 1 and redraw ≥ 0, not 0 and 1"):
        build("landmarks=0", head_dim=2)
