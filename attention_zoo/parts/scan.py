"""The scan of a diagonal linear recurrence, in chunks."""

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 16  # S: S·P products a token within a chunk, N/S tokens on the next level


def diagonal_scan(
    u: Tensor,  # (B, N, P) complex
    exponents: Tensor,  # (P,) complex: log Ā
) -> Tensor:  # (B, N, P)
    """xᵢ = Ā xᵢ₋₁ + uᵢ from x₋₁ = 0, that is xᵢ = Σ_{j ≤ i} Āⁱ⁻ʲ uⱼ.

    Within a chunk it is the product with a lower triangular matrix of powers of Ā; what the chunks
    end with is scanned in the same way, with Ā to the power of a chunk, and added to the next one.
    """
    N = u.shape[1]
    S = min(CHUNK, N)  # no power beyond N: of a growing mode, it could overflow
    place = torch.arange(S, device=u.device)
    distance = place[:, None] - place
    powers = (exponents[:, None, None] * distance.clamp(min=0)).exp() * (distance >= 0)  # (P, S, S)
    chunks = F.pad(u, (0, 0, 0, -N % S)).unflatten(1, (-1, S))  # (B, n, S, P)
    x = torch.einsum("pij,bnjp->bnip", powers, chunks)
    if N > S:
        ends = diagonal_scan(x[:, :-1, -1], exponents * S)
        before = F.pad(ends, (0, 0, 1, 0))  # what each chunk begins with
        x = x + (exponents * (place[:, None] + 1)).exp() * before[:, :, None]
    return x.flatten(1, 2)[:, :N]
