"""What a filter makes of each part of the spectrum, in two senses that differ."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from attention_zoo import AttentionOperator
from gfsa.analysis.spectra import real_factors, real_matrix


def response(filter: nn.Module, eigenvalues: Tensor) -> Tensor | None:
    """|h(λ)| of a filter H = h(Ā), the factor by which it scales the eigenvector of λ.

    Args:
        filter: with `response`, or with `coefficients` c₀, c₁, … of h(λ) = Σ cₖ λᵏ, per head
        eigenvalues: (…, H, n) complex or real

    Returns:
        (…, H, n), or None where H is no polynomial of Ā.
    """
    values = filtered_eigenvalues([filter], eigenvalues)
    return None if values is None else values.abs()


def filtered_eigenvalues(filters: Iterable[nn.Module], eigenvalues: Tensor) -> Tensor | None:
    """h(λ) (…, H, n) of filters on Ā, the first applied to Ā and each other to the one before: the
    eigenvalues of what the layer applies. None where one of them is no polynomial of Ā."""
    values: Tensor | None = eigenvalues
    for one in filters:
        values = None if values is None else _values(one, values)
    return values


def _values(filter: Any, eigenvalues: Tensor) -> Tensor | None:
    if hasattr(filter, "response"):
        return filter.response(eigenvalues)
    if not hasattr(filter, "coefficients"):
        return None
    result = torch.zeros_like(eigenvalues)
    for coefficient in reversed(filter.coefficients()):
        if isinstance(coefficient, Tensor):
            coefficient = coefficient.detach().to(eigenvalues.dtype).view(-1, 1)
        result = result * eigenvalues + coefficient
    return result


def fourier_response(of: AttentionOperator | Tensor, keep: Tensor | None = None) -> Tensor:
    """|diag(F A F⁻¹)|, F the discrete Fourier transform over the real tokens: how much of each
    frequency A returns at the same frequency.

    It is what the literature draws as a filter's frequency response (Wang et al. 2022, arXiv
    2203.05962, use the transform; the exact formula of the picture is not published, so this
    is our reading). It is the response |h(λ)| only where A is circulant: else F does not
    diagonalise A, and what leaks into other frequencies is not seen. Entry k is the frequency of
    k/n cycles a token; entry 0 is the mean.

    Args:
        of: an operator (of low rank: O(N R log N), without Ā), or A (B, H, N, N)
        keep: (B, N), with a tensor; an operator has its own

    Returns:
        (B, H, N), for an example of n real tokens zero from entry n on.
    """
    if isinstance(of, Tensor):
        left, right = of.detach().double(), None
    else:
        keep, parts = of.keep, real_factors(of)
        left, right = (real_matrix(of), None) if parts is None else parts
    result = left.new_zeros(left.shape[:-1])
    for b, real in _real(keep, len(left), left.shape[-2], left.device):
        if right is None:
            of_rows = torch.fft.fft(left[b][:, real][:, :, real], dim=-2)
            found = torch.fft.ifft(of_rows, dim=-1).diagonal(dim1=-2, dim2=-1)
        else:
            to, back = torch.fft.fft(left[b][:, real], dim=-2), right[b][:, :, real]
            found = torch.einsum("hkr,hrk->hk", to, torch.fft.ifft(back, dim=-1))
        result[b, :, : len(real)] = found.abs()
    return result


def _real(
    keep: Tensor | None, B: int, N: int, device: torch.device
) -> Iterator[tuple[int, Tensor]]:
    """Each example with the places of its real tokens; of none where it has none."""
    for b in range(B):
        every = torch.arange(N, device=device)
        real = every if keep is None else every[keep[b]]
        if len(real):
            yield b, real
