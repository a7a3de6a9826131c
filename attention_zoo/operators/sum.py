"""A sum of attentions."""

from functools import reduce

import torch
from torch import Tensor

from attention_zoo.operators.base import AttentionOperator


class SumOperator(AttentionOperator):
    """Ā = Σ Āᵢ of operators on the same tokens; they share no entry where one drops some out."""

    def __init__(self, *operators: AttentionOperator) -> None:
        super().__init__(operators[0].like, operators[0].keep)
        self.operators = operators

    def dropout(self, p: float) -> "SumOperator":
        return SumOperator(*(operator.dropout(p) for operator in self.operators))

    def _apply(self, v: Tensor) -> Tensor:
        return reduce(torch.add, (operator._apply(v) for operator in self.operators))
