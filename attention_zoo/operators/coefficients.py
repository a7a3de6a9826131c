"""Coefficients of a polynomial, and sums with them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Coefficient = Tensor | float  # per head (H,), or one number; 0.0 leaves its term out


def horner(
    coefficients: Sequence[Coefficient], x: Tensor, apply: Callable[[Tensor], Tensor]
) -> Tensor:
    """Σ cₖ Aᵏ x by Horner's rule, with apply(x) = A x."""
    *lower, last = coefficients
    result = scale(last, x)
    for coefficient in reversed(lower):
        result = add_scaled(apply(result), coefficient, x)
    return result


def scale(coefficient: Coefficient, v: Tensor) -> Tensor:
    """c v, per head; c is cast to v's dtype."""
    if isinstance(coefficient, Tensor):
        coefficient = coefficient.to(v.dtype).view(-1, 1, 1)
    return coefficient * v


def add_scaled(total: Tensor, coefficient: Coefficient, v: Tensor) -> Tensor:
    """total + c v, per head; nothing is added for the number 0."""
    if isinstance(coefficient, Tensor):
        return torch.addcmul(total, coefficient.to(v.dtype).view(-1, 1, 1), v.to(total.dtype))
    return total + coefficient * v if coefficient else total
