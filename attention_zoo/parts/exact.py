"""Softmax attention from its definition: the reference of every exact kernel and sparse pattern."""

import math

import torch
from torch import Tensor

from attention_zoo.precision import lowest


def softmax_matrix(
    q: Tensor,  # (B, H, N, D)
    k: Tensor,  # (B, H, N, D)
    keep: Tensor | None,  # (B, N)
    looks: Tensor | None = None,  # bool, broadcast to (B, H, N, N): the pairs there are, else all
) -> Tensor:
    """softmax(q kᵀ / √D) over the real keys that a row looks at, (B, H, N, N). A row without one is
    0, as torch's fused kernels have it."""
    scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.shape[-1])
    seen = torch.ones((), dtype=torch.bool, device=q.device)
    for there in (looks, None if keep is None else keep[:, None, None]):
        seen = seen if there is None else seen & there
    return scores.masked_fill(~seen, lowest(scores)).softmax(-1) * seen


def lower_triangle(q: Tensor) -> Tensor:  # (B, H, N, D) -> (N, N) bool
    """The pairs that a causal reference looks at."""
    i = torch.arange(q.shape[2], device=q.device)
    return i[:, None] >= i


def seen(
    q: Tensor,  # (B, H, n, D), of the last n tokens
    k: Tensor,  # (B, H, T, D), of all
    keep: Tensor | None,  # (B, T)
) -> Tensor:  # bool, (n, T) or (B, 1, n, T)
    """Which tokens are real and not later."""
    n, T = q.shape[2], k.shape[2]
    earlier = torch.ones(n, T, dtype=torch.bool, device=q.device).tril(T - n)
    return earlier if keep is None else earlier & keep[:, None, None]
