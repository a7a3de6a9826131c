"""An attention of some rows, which has one and the same row everywhere else."""

from collections.abc import Sequence

import torch
from torch import Tensor

from attention_zoo.flops import Cost, Inputs, Product, Products
from attention_zoo.operators.base import AttentionOperator
from attention_zoo.operators.coefficients import Coefficient, add_scaled, horner
from attention_zoo.operators.recurrence import Recurrence


class RowsOperator(AttentionOperator):
    """Ā has the row rows[r] at token index[r], and the last row of `rows` everywhere else.

    With Ā = S·rows, S the selection (N, u+1), polynomials go by M = rows·S, as for any two
    factors; S is never written down, and M only picks columns of `rows`.
    """

    def __init__(
        self,
        rows: Tensor,  # (B, H, u+1, N), zero in the columns of padded positions
        index: Tensor,  # (B, H, u) long, without repeats
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(rows.mT, keep)
        self.rows, self.index = rows, index

    @staticmethod
    def cost(inputs: Inputs, u: int) -> Cost:
        B, H, N, D = inputs.shape
        moments = Product(u + 1, N, D, B * H)

        def closed(order: int) -> Products:
            if order < 2:
                return order * (moments,)
            return moments, Product(u + 1, u + 1, D, B * H * (order - 1))

        return Cost(applying=(moments,), closed=closed)

    def _spread(self, x: Tensor) -> Tensor:
        """S x, (B, H, u+1, D) -> (B, H, N, D)."""
        D = x.shape[-1]
        everywhere = x[:, :, -1:].expand(-1, -1, self.shape[-1], -1)
        return everywhere.scatter(2, self.index[..., None].expand(-1, -1, -1, D), x[:, :, :-1])

    def _apply(self, v: Tensor) -> Tensor:
        return self._spread(self.rows @ v)

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        if len(coefficients) < 3:
            return super()._polynomial(coefficients, v)
        constant, *rest = coefficients
        gram = self._gram()
        state = horner(rest, self.rows @ v, lambda x: gram @ x)
        return add_scaled(self._spread(state), constant, v)

    def _series(self, coefficients: Sequence[Coefficient], v: Tensor, basis: Recurrence) -> Tensor:
        if len(coefficients) < 3:
            return super()._series(coefficients, v, basis)
        gram = self._gram()
        state = basis.quotient(coefficients, self.rows @ v, lambda x: gram @ x)
        return add_scaled(self._spread(state), basis.constant(coefficients), v)

    def _gram(self) -> Tensor:  # (B, H, u+1, u+1)
        """M."""
        chosen = self.rows.gather(3, self.index[:, :, None].expand(-1, -1, self.rows.shape[2], -1))
        others = self.rows.sum(-1, keepdim=True) - chosen.sum(-1, keepdim=True)
        return torch.cat([chosen, others], -1)
