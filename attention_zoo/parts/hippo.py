"""The normal part of the HiPPO-LegS matrix, which diagonal state spaces start from."""

import torch
from torch import Tensor

from attention_zoo.errors import UsageError


def hippo_normal(N: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues (N/2,) with a positive imaginary part, ascending, and their eigenvectors
    (N, N/2), complex128, of the N×N matrix A + P Pᵀ, where A is HiPPO-LegS and Pₙ = √(n + 1/2):
    its normal part (Gu, Goel & Ré 2022). The other half are the conjugates."""
    if N < 2 or N % 2:
        raise UsageError(f"a state that starts from HiPPO must have an even size; got {N}")
    # Aₙₖ + Pₙ Pₖ = −1/2 on the diagonal, ∓½ √(2n + 1) √(2k + 1) below and above it.
    root = (2 * torch.arange(N, dtype=torch.float64) + 1).sqrt()
    outer = torch.outer(root, root) / 2
    skew = outer.triu(1) - outer.tril(-1)
    frequencies, vectors = torch.linalg.eigh(-1j * skew)  # in ascending order
    half = frequencies[N // 2 :]
    return torch.complex(torch.full_like(half, -0.5), half), vectors[:, N // 2 :]


def hippo_input(N: int) -> Tensor:  # (N,)
    """B of HiPPO-LegS, √(2n + 1)."""
    return (2 * torch.arange(N, dtype=torch.float64) + 1).sqrt()
