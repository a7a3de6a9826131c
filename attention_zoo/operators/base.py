"""An attention as a linear operator Ā on values."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.inputs import require_dtype, require_floats
from attention_zoo.operators.cache import DecodingCache
from attention_zoo.operators.coefficients import Coefficient, horner
from attention_zoo.operators.recurrence import Recurrence


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
        self.causal = False  # no row looks at a later token
        self.cache: DecodingCache | None = None  # where it has the rows of new tokens alone

    @abstractmethod
    def _apply(self, v: Tensor) -> Tensor:
        """Ā v for v (B, H, N, D) that is zero at padded positions."""

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        """Σ cₖ Āᵏ v by Horner's rule: one application an order."""
        return horner(coefficients, v, lambda x: self._apply(zero_pads(x, self.keep)))

    def _series(self, coefficients: Sequence[Coefficient], v: Tensor, basis: Recurrence) -> Tensor:
        """Σ θₖ Pₖ(Ā) v by the basis' recurrence: one application an order."""
        return basis.series(coefficients, v, lambda x: self._apply(zero_pads(x, self.keep)))

    def __matmul__(self, v: Tensor) -> Tensor:
        """Ā v, (B, H, N, D) -> (B, H, N, D)."""
        return self._apply(self._masked(v))

    def polynomial(
        self,
        coefficients: Sequence[Coefficient],
        v: Tensor,  # (B, H, N, D)
        basis: Recurrence | None = None,
    ) -> Tensor:  # (B, H, N, D)
        """Σ cₖ Āᵏ v with per-head coefficients c₀, c₁, …, or Σ cₖ Pₖ(Ā) v of a basis."""
        order = len(coefficients) - 1
        while order and not isinstance(coefficients[order], Tensor) and not coefficients[order]:
            order -= 1
        coefficients = coefficients[: order + 1]
        if basis is None or not order:
            return self._polynomial(coefficients, self._masked(v))
        return self._series(coefficients, self._masked(v), basis)

    def mean(self, v: Tensor) -> Tensor:
        """1·(mean of v over the real tokens), (B, H, N, D) -> (B, H, N, D); of a causal Ā row by
        row over the tokens up to it."""
        # float16 would overflow in the sum over N.
        wide = self._masked(v).to(torch.promote_types(v.dtype, torch.float32))
        if self.causal:
            return self._running_mean(wide).to(v.dtype)
        if self.lengths:
            parts = wide.split(list(self.lengths), dim=-2)
            means = [x.mean(-2, keepdim=True).expand_as(x) for x in parts]
            return torch.cat(means, -2).to(v.dtype)
        total = wide.sum(-2, keepdim=True)
        if self.keep is None:
            return (total / v.shape[-2]).to(v.dtype).expand_as(v)
        count = self.keep.sum(-1).clamp(min=1)[:, None, None, None]
        return (total / count).to(v.dtype).expand_as(v)

    def _running_mean(self, v: Tensor) -> Tensor:
        B, H, N, _ = v.shape
        counts = v.new_ones(B, N) if self.keep is None else self.keep.to(v.dtype)
        counted = torch.cat([v, counts[:, None, :, None].expand(B, H, N, 1)], -1)
        parts = counted.split(list(self.lengths) or [N], dim=-2)
        sums = torch.cat([part.cumsum(-2) for part in parts], -2)
        if self.cache is not None:
            name = self.cache.stream("sums")
            before = self.cache.get(name)
            sums = sums if before is None else sums + before
            self.cache.put(name, sums[:, :, -1:])
        return sums[..., :-1] / sums[..., -1:].clamp(min=1)

    def dense(self) -> Tensor:
        """Ā itself, (B, H, N, N), for small N: the operator applied to the identity in blocks as
        wide as what it was made from (D for a kernel), so that the kernel of the model runs."""
        if self.cache is not None:
            raise UsageError(
                "an operator of a decoding step has some rows of Ā alone, and no dense(): make one "
                "of all tokens"
            )
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
