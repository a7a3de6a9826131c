"""What a graph filter is: a module that applies a function of an operator to values."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from attention_zoo.flops import Cost, Products
from attention_zoo.operators import AttentionOperator


class Filter(nn.Module, ABC):
    """Base class of filters: `(operator, v) -> f(Ā) v` with (B, H, N, D) values.

    Its parameters are few scalars per head: training gives them no weight decay.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    @abstractmethod
    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        """f(Ā) v, of v's shape and dtype."""

    def products(self, cost: Cost) -> Products | None:
        """The matrix products of f(Ā) v for an Ā of that cost; None where it states none."""
        return None

    @abstractmethod
    def reference(self, matrix: Tensor) -> Tensor:
        """f(Ā) (B, H, N, N) of a dense Ā, from the paper's formula, sharing no code with
        `forward`. Where f has a constant term, I stands at padded positions too."""
