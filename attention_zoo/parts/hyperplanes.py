"""Hashing by the sides of random hyperplanes."""

import torch
from torch import Tensor


def random_hyperplanes(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Normals (heads, hashes, bits, width) of uniformly random directions."""
    return torch.randn(shape, generator=generator)


def side_codes(
    x: Tensor,  # (B, H, N, D)
    planes: Tensor,  # (H, m, τ, D)
) -> Tensor:  # (m, B, H, N) int32, in [0, 2^τ)
    """Bit t of hash h is the side of its t-th hyperplane that x is on. Two vectors at an angle θ
    share all τ bits of a hash with probability (1 − θ/π)^τ (Charikar 2002)."""
    powers = 2 ** torch.arange(planes.shape[2], device=x.device, dtype=torch.int32)
    # Hash by hash: all projections at once would be the largest tensor of the layer.
    return torch.stack(
        [((x @ normals.mT > 0) * powers).sum(-1, dtype=torch.int32) for normals in planes.unbind(1)]
    )
