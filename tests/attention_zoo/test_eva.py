"""What EVA promises beyond the contract."""

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention


def build(options, **sizes):
    attention = build_attention(f"eva:{options}", **{"heads": 1, "max_len": 8, **sizes})
    return attention.double().eval()


def test_without_weight_a_group_counts_as_one_token_of_score_zero():
    """k̃ = 0 and ω = 0 where the projections are 0: far scores are 0, and β_c has the weights
    exp(−|k|²/(2√D)) over the group."""
    attention = build("window=2,landmarks=2,proposal=no-ln", head_dim=4)
    for parameter in attention.parameters():
        torch.nn.init.zeros_(parameter)
    q, k = torch.randn(2, 1, 1, 4, 4, dtype=torch.float64).unbind()
    near = (q[0, 0] @ k[0, 0].T / 2).exp() * torch.block_diag(*torch.ones(2, 2, 2).double())
    share = (-k[0, 0].square().sum(-1) / 4).view(2, 2).softmax(-1).flatten()
    expected = (near + share) / (near.sum(-1, keepdim=True) + 2)
    assert_close(attention(q, k).dense()[0, 0], expected)


def test_training_draws_samples_about_the_means():
    q, k = torch.randn(2, 1, 1, 8, 4, dtype=torch.float64).unbind()
    attention = build("window=2,landmarks=2", head_dim=4)
    still = attention(q, k).dense()
    attention.train()
    assert not torch.allclose(attention(q, k).dense(), still)
    assert_close(attention(q, k).dense(), attention.reference(q, k, None))
    attention.noise.zero_()
    assert_close(attention(q, k).dense(), still)


def test_no_window_is_refused():
    message = "eva needs window ≥ 1, landmarks ≥ 1 and redraw ≥ 0, not 0, 49 and 1"
    with pytest.raises(UsageError, match=message):
        build("window=0", head_dim=2)
