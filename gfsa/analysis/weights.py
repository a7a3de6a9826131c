"""Whether the learned weights of a filter say anything."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from attention_zoo import Filter
from gfsa.analysis.response import filtered_eigenvalues

Verdict = Literal["zero", "multiple of the base", "multiple of the identity", "filter"]
POINTS = 33  # at which polynomials are compared; of one of order 32 or less nothing is missed


@dataclass(frozen=True)
class Collapse:
    """Of one head. scale: c of the nearest c Ā. distance: from it, relative to the filter."""

    verdict: Verdict
    scale: float
    distance: float


def collapse(filter: Filter, heads: int, tolerance: float = 0.01) -> list[Collapse] | None:
    """What each head's filter H = h(Ā) has collapsed to, if anything, whatever Ā is.

    h is looked at on [−1, 1], where the real eigenvalues lie of an Ā whose rows are non-negative
    and sum to 1: `zero` if |h| ≤ tolerance, a multiple of Ā if |h(λ) − cλ| ≤ tolerance · max |h|,
    of I if |h(λ) − c| is. None where H is no polynomial of Ā.
    """
    device = next((weight.device for weight in filter.parameters()), None)
    grid = torch.linspace(-1, 1, POINTS, dtype=torch.float64, device=device).expand(heads, -1)
    complex_values = filtered_eigenvalues([filter], grid + 0j)
    if complex_values is None:
        return None
    values = complex_values.real  # of real coefficients
    largest = values.abs().amax(-1)
    scale, distance = base_multiple(values, grid)
    from_constant = _relative(values - (values.amax(-1) + values.amin(-1))[:, None] / 2, values)
    found = []
    for h in range(heads):
        verdict: Verdict = "filter"
        if largest[h] <= tolerance:
            verdict = "zero"
        elif distance[h] <= tolerance:
            verdict = "multiple of the base"
        elif from_constant[h] <= tolerance:
            verdict = "multiple of the identity"
        found.append(Collapse(verdict, scale[h].item(), distance[h].item()))
    return found


def base_multiple(values: Tensor, eigenvalues: Tensor) -> tuple[Tensor, Tensor]:
    """c = Re⟨λ, h⟩ / ⟨λ, λ⟩ of the least squares fit h(λ) ≈ cλ, and max |h − cλ| / max |h|.

    Args:
        values: h(λ) (…, n)
        eigenvalues: λ (…, n)

    Returns:
        Both (…); 0 where λ, or h, is 0 everywhere.
    """
    inner = (eigenvalues.conj() * values).real.sum(-1)
    size = eigenvalues.abs().square().sum(-1)
    scale = torch.where(size > 0, inner / size, 0.0)
    return scale, _relative(values - scale[..., None] * eigenvalues, values)


def _relative(difference: Tensor, values: Tensor) -> Tensor:
    largest = values.abs().amax(-1)
    return torch.where(largest > 0, difference.abs().amax(-1) / largest, 0.0)
