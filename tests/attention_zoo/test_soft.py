"""What SOFT promises beyond the contract."""

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention
from attention_zoo.operators import ConvolutionOperator
from attention_zoo.parts.gaussian import gaussian_matrix

H, D = 2, 4


def build(options, N=64):
    return build_attention(f"soft:{options}", heads=H, head_dim=D, max_len=N).double()


def qkv(N, B=2):
    return torch.randn(3, B, H, N, D, dtype=torch.float64).unbind()


def test_with_each_token_its_own_landmark_it_is_the_gaussian_kernel_but_for_the_ridge():
    """S (S + γI)⁻¹ S = S − γI + γ²(S + γI)⁻¹."""
    q, k, _ = qkv(9)
    ours = build("landmarks=9,iterations=60,ridge=1e-3")(q, k).dense()
    S, eye = gaussian_matrix(q, q), torch.eye(9, dtype=q.dtype)
    assert_close(ours, S - 1e-3 * eye + 1e-6 * torch.linalg.inv(S + 1e-3 * eye))


def test_one_landmark_by_hand():
    """Two tokens at distance 2√2 and their mean between them: |q − q̃|² / (2√4) = ½ for D = 4,
    and 1 / (1 + γ) is the inverse."""
    q = torch.tensor([[1.0, 0, 1, 0], [-1.0, 0, -1, 0]], dtype=torch.float64)
    q = q.expand(1, H, 2, D)
    ours = build("landmarks=1,ridge=0.05,iterations=20")(q, q).dense()
    expected = torch.full((1, H, 2, 2), torch.e**-1 / 1.05, dtype=torch.float64)
    assert_close(ours, expected)


def test_it_is_symmetric_and_positive_semidefinite():
    q, k, _ = qkv(40)
    matrix = build("landmarks=7")(q, k).dense()
    assert_close(matrix, matrix.mT)
    assert torch.linalg.eigvalsh((matrix + matrix.mT) / 2).min() > -1e-9


def test_the_convolution_is_added():
    q, k, v = qkv(20)
    soft, plain = build("landmarks=4,conv=3"), build("landmarks=4")
    added = ConvolutionOperator(q, soft.kernel) @ v
    assert_close(soft(q, k) @ v, plain(q, k) @ v + added)


@pytest.mark.parametrize(
    "options", ["landmarks=0", "iterations=-1", "ridge=0.0", "ridge=0.06", "conv=2"]
)
def test_what_it_cannot_do_is_refused(options):
    with pytest.raises(UsageError, match="soft needs"):
        build(options)
