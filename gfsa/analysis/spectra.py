"""Eigenvalues and singular values of Ā, in float64, padding left out."""

import torch
from torch import Tensor

from attention_zoo import AttentionOperator, FactoredOperator, UsageError


def eigenvalues(operator: AttentionOperator) -> Tensor:
    """The eigenvalues of Ā on real tokens, by falling magnitude; exact for every operator.

    Of Ā = left·right with R < N the nonzero ones are those of M = right·left (R×R): O(N·R² + R³)
    for any N. Of others they come from `real_matrix`: O(N²) memory, O(N³) time.

    Returns:
        complex (B, H, min(R, N)) of factors, else (B, H, N). What is not listed is 0, and so are
        the last entries of an example with fewer real tokens.

    Raises:
        UsageError: Ā has entries that are not finite.
    """
    parts = real_factors(operator)
    if parts is None:
        square = real_matrix(operator)
    else:
        left, right = parts
        square = right @ left
    # Of a matrix near rank one LAPACK's real solver may not converge, where the complex one does.
    found = torch.linalg.eigvals(square + 0j)
    order = found.abs().argsort(dim=-1, descending=True, stable=True)
    return found.gather(-1, order)


def singular_values(operator: AttentionOperator) -> Tensor:
    """The singular values of Ā on real tokens, in falling order: (B, H, min(R, N)) of factors with
    R < N, through the triangular factors of two QR decompositions, else (B, H, N). What is not
    listed is 0. Raises UsageError for an Ā with entries that are not finite."""
    parts = real_factors(operator)
    if parts is None:
        return torch.linalg.svdvals(real_matrix(operator))
    left, right = triangles(*parts)
    return torch.linalg.svdvals(left @ right.mT)


def real_factors(operator: AttentionOperator) -> tuple[Tensor, Tensor] | None:
    """left (B, H, N, R) and right (B, H, R, N) of Ā = left·right in float64, zero at pads; None for
    an operator that has no factors, or none with R < N."""
    if not isinstance(operator, FactoredOperator) or operator.left.shape[-1] >= operator.shape[-1]:
        return None
    left, right = operator.left.detach().double(), operator.right.detach().double()
    if operator.keep is not None:
        real = operator.keep[:, None, :, None]
        left, right = torch.where(real, left, 0.0), torch.where(real.mT, right, 0.0)
    return _finite(left), _finite(right)


def real_matrix(operator: AttentionOperator) -> Tensor:
    """Ā (B, H, N, N) in float64 with zeros in the rows and columns of pads, which adds zeros to its
    eigenvalues and singular values and changes none. Raises UsageError where it is not finite."""
    if isinstance(operator, FactoredOperator):
        matrix = operator.left.detach().double() @ operator.right.detach().double()
    else:
        matrix = operator.dense().detach().double()
    if operator.keep is not None:
        real = operator.keep[:, None, :, None]
        matrix = torch.where(real & real.mT, matrix, 0.0)
    return _finite(matrix)


def triangles(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """S, T (B, H, R, R) with left = P·S and rightᵀ = Q·T for P, Q with orthonormal columns: left X
    right has the singular values of S X Tᵀ for every X (R×R)."""
    return torch.linalg.qr(left, mode="r").R, torch.linalg.qr(right.mT, mode="r").R


def _finite(x: Tensor) -> Tensor:
    if not bool(x.isfinite().all()):
        raise UsageError("Ā has entries that are not finite, so it has no spectrum")
    return x
