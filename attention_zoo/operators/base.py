"""An attention as a linear operator Ā on values."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.inputs import require_dtype, require_floats

Coefficient = Tensor | float  # per head (H,), or one number; 0.0 leaves its term out


def zero_pads(
    x: Tensor,  # (B, H, N, D)
    keep: Tensor | None,  # (B, N)
) -> Tensor:
    """x with zeros at padded positions, whatever stood there (NaN included)."""
    return x if keep is None else torch.where(keep[:, None, :, None], x, 0.0)


class AttentionOperator(ABC):
    """Ā of shape (B, H, N, N), applied and never written down unless `dense` is asked.

    Landmarks, random features and the like are fixed when it is made: applied twice it gives
    Ā(Āv) of the same Ā. Columns of padded positions are zero. A subclass writes `_apply`.
    """

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D): its batch, length, dtype and device are the operator's
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        B, H, N, _ = like.shape
        self.shape = (B, H, N, N)
        self.like, self.keep = like, keep
        self.lengths: Sequence[int] = ()  # of the examples in its one sequence, if it is packed

    @abstractmethod
    def _apply(self, v: Tensor) -> Tensor:
        """Ā v for v (B, H, N, D) that is zero at padded positions."""

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        """Σ cₖ Āᵏ v by Horner's rule: one application an order."""
        return horner(coefficients, v, lambda x: self._apply(zero_pads(x, self.keep)))

    def __matmul__(self, v: Tensor) -> Tensor:
        """Ā v, (B, H, N, D) -> (B, H, N, D)."""
        return self._apply(self._masked(v))

    def polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        """Σ cₖ Āᵏ v with per-head coefficients c₀, c₁, …; (B, H, N, D) -> (B, H, N, D)."""
        order = len(coefficients) - 1
        while order and not isinstance(coefficients[order], Tensor) and not coefficients[order]:
            order -= 1
        coefficients = coefficients[: order + 1]
        return self._polynomial(coefficients, self._masked(v))

    def mean(self, v: Tensor) -> Tensor:
        """1·(mean of v over the real tokens), (B, H, N, D) -> (B, H, N, D)."""
        if self.lengths:
            parts = v.split(list(self.lengths), dim=-2)
            return torch.cat([x.mean(-2, keepdim=True).expand_as(x) for x in parts], -2)
        total = self._masked(v).sum(-2, keepdim=True)
        if self.keep is None:
            return (total / v.shape[-2]).expand_as(v)
        count = self.keep.sum(-1).clamp(min=1)[:, None, None, None]
        return (total / count.to(v.dtype)).expand_as(v)

    def dense(self) -> Tensor:
        """Ā itself, (B, H, N, N), for small N: the operator applied to the identity in blocks as
        wide as what it was made from (D for a kernel), so that the kernel of the model runs."""
        B, H, N, _ = self.shape
        width = max(1, min(N, self.like.shape[-1]))
        blocks = -(-N // width)
        columns = torch.eye(N, blocks * width, dtype=self.like.dtype, device=self.like.device)
        parts = [self @ part.expand(B, H, N, -1) for part in columns.split(width, dim=1)]
        return torch.cat(parts, dim=-1)[..., :N]

    def dropout(self, p: float) -> "AttentionOperator":
        """The operator whose entries are 0 with probability p and divided by 1 − p else, drawn now
        from the global generator. Raises UnsupportedError where Ā is never written down."""
        raise UnsupportedError(f"{type(self).__name__} holds no entries of Ā to drop out")

    def _masked(self, v: Tensor) -> Tensor:
        require_floats("B, H, N, D", values=v)
        require_dtype(self.like.dtype, "the operator", values=v)
        if v.shape[:3] != self.shape[:3]:
            raise UsageError(f"values {tuple(v.shape)} do not fit an operator of {self.shape}")
        return zero_pads(v, self.keep)


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
