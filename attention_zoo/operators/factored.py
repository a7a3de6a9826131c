"""An attention of low rank: Ā = left·right, evaluated without leaving the factors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from attention_zoo.flops import Cost, Inputs, Product, Products
from attention_zoo.operators.base import AttentionOperator
from attention_zoo.operators.coefficients import Coefficient, add_scaled, horner
from attention_zoo.operators.polynomial import applied_polynomial, closed_polynomial
from attention_zoo.operators.recurrence import Recurrence


class FactoredOperator(AttentionOperator):
    """Ā = left·right. With M = right·left (R×R) and k ≥ 1, Āᵏ = left·Mᵏ⁻¹·right, so that

        Σ cₖ Āᵏ v = c₀ v + left · g(M) · (right v),  g(M) = c₁ + c₂ M + c₃ M² + …

    by Horner's rule on the R×D state: one pass over N for any order. In another basis g(M) follows
    its recurrence.
    """

    def __init__(
        self,
        left: Tensor,  # (B, H, N, R)
        right: Tensor,  # (B, H, R, N), zero in the columns of padded positions
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(left, keep)
        self.left, self._right = left, right

    @property
    def right(self) -> Tensor:
        return self._right

    def _compress(self, x: Tensor) -> Tensor:
        """right x, (B, H, N, ·) -> (B, H, R, ·)."""
        # Transposed, so that the gradient of right lies in memory as the keys it is made from.
        return (x.mT @ self.right.mT).mT

    def _apply(self, v: Tensor) -> Tensor:
        return self.left @ self._compress(v)

    @staticmethod
    def _closes(order: int, R: int, D: int) -> bool:
        """M costs N·R², each application that it saves 2·N·R·D."""
        return order >= 2 and R < 2 * D * (order - 1)

    @staticmethod
    def _compressing(heads: int, N: int, R: int, width: int) -> Products:
        """The products of `_compress` for so many columns."""
        return (Product(R, N, width, heads),)

    @classmethod
    def cost(cls, inputs: Inputs, R: int) -> Cost:
        B, H, N, D = inputs.shape
        applying = (*cls._compressing(B * H, N, R, D), Product(N, R, D, B * H))

        def closed(order: int) -> Products:
            if not cls._closes(order, R, D):
                return order * applying
            gram, powers = cls._compressing(B * H, N, R, R), Product(R, R, D, B * H * (order - 1))
            return (*applying, *gram, powers)

        return Cost(applying=applying, closed=closed)

    @property
    def _keys(self) -> Tensor | None:
        """(B, H, N, R) with Ā = left·keysᵀ, where a subclass has no other way to apply it."""
        plain = FactoredOperator
        own = type(self)._apply is plain._apply and type(self)._compress is plain._compress
        return self.right.mT if own else None

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        order, R, D = len(coefficients) - 1, self.left.shape[-1], v.shape[-1]
        keys = self._keys if order >= 2 else None
        closes = self._closes(order, R, D)
        if keys is not None:
            form = closed_polynomial if closes else applied_polynomial
            # Autocast would take other dtypes forward than backward.
            with torch.autocast(v.device.type, enabled=False):
                return form(per_head(coefficients, v), self.left, keys, v)
        if not closes:
            return super()._polynomial(coefficients, v)
        constant, *rest = coefficients
        moments = self._compress(v)  # (B, H, R, D)
        gram = self._compress(self.left)  # (B, H, R, R)
        state = horner(rest, moments, lambda x: gram @ x)
        return add_scaled(self.left @ state, constant, v)

    def _series(self, coefficients: Sequence[Coefficient], v: Tensor, basis: Recurrence) -> Tensor:
        if not self._closes(len(coefficients) - 1, self.left.shape[-1], v.shape[-1]):
            return super()._series(coefficients, v, basis)
        moments, gram = self._compress(v), self._compress(self.left)
        state = basis.quotient(coefficients, moments, lambda x: gram @ x)
        return add_scaled(self.left @ state, basis.constant(coefficients), v)


def per_head(coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:  # (m + 1, H)
    """All of them as one tensor of v's dtype."""
    H = v.shape[1]
    return torch.stack(
        [
            c.to(v.dtype).expand(H) if isinstance(c, Tensor) else v.new_full((H,), c)
            for c in coefficients
        ]
    )
