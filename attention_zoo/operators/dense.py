"""An attention that is dense by nature."""

import torch.nn.functional as F
from torch import Tensor

from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators.base import AttentionOperator


class DenseOperator(AttentionOperator):
    """Holds Ā; O(N²) memory."""

    def __init__(
        self,
        matrix: Tensor,  # (B, H, N, N), zero in the columns of padded positions
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(matrix, keep)
        self.matrix = matrix

    @staticmethod
    def cost(inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        return Cost(applying=(Product(N, N, D, B * H),))

    def dropout(self, p: float) -> "DenseOperator":
        return DenseOperator(F.dropout(self.matrix, p), self.keep)

    def _apply(self, v: Tensor) -> Tensor:
        return self.matrix @ v
