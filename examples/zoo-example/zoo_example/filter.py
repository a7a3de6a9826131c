"""The lazy random walk as a filter."""

import torch
from torch import Tensor, nn

from attention_zoo import (
    AttentionOperator,
    Cost,
    Filter,
    Products,
    UsageError,
    register_filter,
)


@register_filter("lazy")
class Lazy(Filter):
    """H = (1 − a) I + a Ā, a learned for each head; a: where it starts."""

    def __init__(self, heads: int, a: float = 1.0) -> None:
        super().__init__(heads)
        if not 0 <= a <= 1:
            raise UsageError(f"lazy needs 0 ≤ a ≤ 1, not {a}")
        self.a = nn.Parameter(torch.full((heads,), a))

    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        return operator.polynomial([1 - self.a, self.a], v)

    def products(self, cost: Cost) -> Products:
        return cost.polynomial(1)

    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        a = self.a.view(-1, 1, 1)
        return (1 - a) * torch.eye(matrix.shape[-1], dtype=matrix.dtype) + a * matrix
