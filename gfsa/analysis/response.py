"""What a filter makes of each part of the spectrum, in two senses that differ."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from attention_zoo import AttentionOperator, DenseOperator, Filter

TOGETHER = 64  # frequencies whose waves are held at once


def response(filter: Filter, eigenvalues: Tensor) -> Tensor | None:
    """|h(λ)| of a filter H = h(Ā), the factor by which it scales the eigenvector of λ.

    Args:
        filter: its `response` gives h(λ)
        eigenvalues: (…, H, n), complex

    Returns:
        (…, H, n), or None where H is no polynomial of Ā.
    """
    values = filtered_eigenvalues([filter], eigenvalues)
    return None if values is None else values.abs()


def filtered_eigenvalues(filters: Iterable[Filter], eigenvalues: Tensor) -> Tensor | None:
    """h(λ) (…, H, n) of filters on Ā, the first applied to Ā and each other to the one before: the
    eigenvalues of what the layer applies. None where one of them is no polynomial of Ā."""
    values: Tensor | None = eigenvalues
    with torch.no_grad():
        for one in filters:
            values = None if values is None else one.response(values)
    return values


def fourier_response(
    of: AttentionOperator | Tensor, keep: Tensor | None = None, frequencies: Tensor | None = None
) -> Tensor:
    """|diag(F A F⁻¹)|, F the discrete Fourier transform over the real tokens: how much of each
    frequency A returns at the same frequency.

    It is what the literature draws as a filter's frequency response (after Wang et al. 2022, arXiv
    2203.05962; no formula of the picture is published, so this is our reading of it). It is
    |h(λ)| only where A is circulant: else F does not diagonalise A, and what leaks into other
    frequencies is not seen. A is applied to the waves and never written down.

    Args:
        of: an operator, with filters or without, or A (B, H, N, N)
        keep: (B, N), with a tensor; an operator has its own
        frequencies: (m,) long, k for k cycles over the real tokens, 0 for their mean; all N if None

    Returns:
        (B, H, m); 0 for a k that is not below an example's number of real tokens.
    """
    operator = DenseOperator(of, keep) if isinstance(of, Tensor) else of
    B, _, N, _ = operator.shape
    device = operator.like.device
    real = operator.keep
    if real is None:
        real = torch.ones(B, N, dtype=torch.bool, device=device)
    count = real.sum(1)[:, None]
    phase = (real.cumsum(1) - 1) * (2 * torch.pi / count.clamp(min=1).double())  # (B, N)
    size = torch.where(real, 1.0, 0.0).double()
    found = []
    for k in (torch.arange(N) if frequencies is None else frequencies).to(device).split(TOGETHER):
        wave = torch.polar(size[..., None].expand(-1, -1, len(k)), phase[..., None] * k)
        made = torch.complex(*_applied(operator, torch.cat([wave.real, wave.imag], -1)))
        made = torch.where(real[:, None, :, None], made, 0.0)  # rows of pads may hold anything
        diagonal = (wave.conj()[:, None] * made).sum(-2).abs() / count.clamp(min=1)[:, None]
        found.append(torch.where(k < count[:, None], diagonal, 0.0))
    return torch.cat(found, -1)


def _applied(operator: AttentionOperator, columns: Tensor) -> tuple[Tensor, Tensor]:
    """A times (B, N, 2m) columns for every head, as two float64 (B, H, N, m): in blocks as wide as
    what the operator was made from, so that a kernel gets the width it is for."""
    B, H, N, _ = operator.shape
    width = max(1, operator.like.shape[-1])
    total = columns.shape[-1]
    columns = nn.functional.pad(columns, (0, -total % width)).to(operator.like.dtype)
    parts = columns[:, None].expand(B, H, N, -1).split(width, -1)
    with torch.no_grad():
        made = torch.cat([(operator @ part.contiguous()).double() for part in parts], -1)
    real, imaginary = made[..., :total].chunk(2, -1)
    return real.contiguous(), imaginary.contiguous()
