"""The scan of a diagonal recurrence whose factors differ from token to token."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK = 128  # tokens whose states are held at once


def selective_scan(
    u: Tensor,  # (B, N, E)
    delta: Tensor,  # (B, N, E), positive
    A: Tensor,  # (E, S), negative
    B: Tensor,  # (B, N, S)
    C: Tensor,  # (B, N, S)
) -> Tensor:  # (B, N, E)
    """hᵢ = exp(Δᵢ A) ⊙ hᵢ₋₁ + Δᵢ uᵢ Bᵢᵀ from h₋₁ = 0, of size E × S, and yᵢ = hᵢ Cᵢ.

    A chunk at a time, its states by pairs; the backward pass computes them again, so that O(N E)
    numbers and the states of one chunk are kept, not N E S.
    """
    # torch.func's gradients allow no checkpoint: there all states are kept.
    hooks = torch._C._autograd._saved_tensors_hooks_is_enabled()  # type: ignore[attr-defined]
    again = torch.is_grad_enabled() and hooks
    h, rows = u.new_zeros(u.shape[0], 1, *A.shape), []
    for part in zip(*(x.split(CHUNK, 1) for x in (u, delta, B, C)), strict=True):
        if again:
            y, h = checkpoint(_chunk, A, h, *part, use_reentrant=False, preserve_rng_state=False)
        else:
            y, h = _chunk(A, h, *part)
        rows.append(y)
    return torch.cat(rows, 1)


def _chunk(
    A: Tensor, before: Tensor, u: Tensor, delta: Tensor, B: Tensor, C: Tensor
) -> tuple[Tensor, Tensor]:
    factors = (delta[..., None] * A).exp()  # (B, n, E, S)
    inputs = (delta * u)[..., None] * B[:, :, None]
    first = inputs[:, :1] + factors[:, :1] * before
    h = scan_by_pairs(factors, torch.cat((first, inputs[:, 1:]), 1))
    return torch.einsum("bnes,bns->bne", h, C), h[:, -1:]


def scan_by_pairs(factors: Tensor, inputs: Tensor) -> Tensor:  # (B, n, ...) each
    """hᵢ = aᵢ ⊙ hᵢ₋₁ + bᵢ from h₋₁ = 0, in 2 log₂ n steps and O(n) products.

    Two tokens are one, with the factor aᵢ₊₁ aᵢ and the input aᵢ₊₁ bᵢ + bᵢ₊₁; the scan of those
    gives every second state, and one step from each of them the others.
    """
    n = inputs.shape[1]
    if n == 1:
        return inputs
    even, odd = factors[:, : n - n % 2 : 2], factors[:, 1::2]
    paired = odd * inputs[:, : n - n % 2 : 2] + inputs[:, 1::2]
    seconds = scan_by_pairs(even * odd, paired)  # states 1, 3, …
    before = torch.cat((torch.zeros_like(inputs[:, :1]), seconds), 1)[:, : (n + 1) // 2]
    firsts = factors[:, ::2] * before + inputs[:, ::2]  # states 0, 2, …
    seconds = F.pad(seconds, (0, 0) * (inputs.dim() - 2) + (0, n % 2))
    return torch.stack((firsts, seconds), 2).flatten(1, 2)[:, :n]
