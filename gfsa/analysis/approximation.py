"""GFSA's Taylor form against the power that it stands for."""

import torch
from torch import Tensor

from attention_zoo import AttentionOperator
from gfsa.analysis.spectra import real_factors, real_matrix, triangles


def taylor_distance(operator: AttentionOperator, K: int) -> Tensor:
    """‖T_K(Ā) − Āᴷ‖₂ (B, H), T_K(Ā) = Ā + (K−1)(Ā² − Ā) of GFSA (arXiv 2312.04234), on real tokens
    in float64; 0 for K = 1 and 2. inf where a power overflows.

    Exact at any N for factors with R < N: with M = right·left both are left·g(M)·right, of which
    the norm is that of an R×R matrix. Of others it takes Ā itself: O(N²) memory, O(N³) time.
    """
    taylor, power = _forms(operator, K)
    # Of equal forms rounding would make a distance.
    return _norm(taylor - power if K > 2 else torch.zeros_like(power))


def power_norm(operator: AttentionOperator, K: int) -> Tensor:
    """‖Āᴷ‖₂ (B, H), what `taylor_distance` is large or small beside."""
    return _norm(_forms(operator, K)[1])


def _forms(operator: AttentionOperator, K: int) -> tuple[Tensor, Tensor]:
    """Both, or matrices that have their singular values and those of their difference."""
    parts = real_factors(operator)
    if parts is None:
        matrix = real_matrix(operator)
        taylor = (2 - K) * matrix + (K - 1) * (matrix @ matrix)
        return taylor, torch.linalg.matrix_power(matrix, K)
    left, right = parts
    gram = right @ left
    S, T = triangles(left, right)
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    taylor = (2 - K) * identity + (K - 1) * gram
    return S @ taylor @ T.mT, S @ torch.linalg.matrix_power(gram, K - 1) @ T.mT


def _norm(x: Tensor) -> Tensor:
    """By the largest eigenvalue of xᵀx, which takes less than half the time of singular values."""
    finite = x.isfinite().all(-1).all(-1)
    x = torch.where(finite[..., None, None], x, 0.0)
    scale = x.abs().amax((-2, -1), keepdim=True)
    x = x / scale.clamp(min=torch.finfo(x.dtype).tiny)
    largest = torch.linalg.eigvalsh(x.mT @ x)[..., -1].clamp(min=0)
    return torch.where(finite, largest.sqrt() * scale[..., 0, 0], torch.inf)
