"""An attention of low rank: Ā = left·right, evaluated without leaving the factors."""

from collections.abc import Sequence

from torch import Tensor

from attention_zoo.flops import Cost, Inputs, Product, Products
from attention_zoo.operators.base import AttentionOperator, Coefficient, add_scaled, horner


class FactoredOperator(AttentionOperator):
    """Ā = left·right. With M = right·left (R×R) and k ≥ 1, Āᵏ = left·Mᵏ⁻¹·right, so that

        Σ cₖ Āᵏ v = c₀ v + left · g(M) · (right v),  g(M) = c₁ + c₂ M + c₃ M² + …

    by Horner's rule on the R×D state: one pass over N for any order.
    """

    def __init__(
        self,
        left: Tensor,  # (B, H, N, R)
        right: Tensor,  # (B, H, R, N), zero in the columns of padded positions
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(left, keep)
        self.left, self.right = left, right

    def _compress(self, x: Tensor) -> Tensor:
        """right x, (B, H, N, ·) -> (B, H, R, ·)."""
        return self.right @ x

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

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        order, R, D = len(coefficients) - 1, self.left.shape[-1], v.shape[-1]
        if not self._closes(order, R, D):
            return super()._polynomial(coefficients, v)
        constant, *rest = coefficients
        moments = self._compress(v)  # (B, H, R, D)
        gram = self._compress(self.left)  # (B, H, R, R)
        state = horner(rest, moments, lambda x: gram @ x)
        return add_scaled(self.left @ state, constant, v)
