"""A filter on an operator, which is an operator again."""

from collections.abc import Callable

from torch import Tensor

from attention_zoo.operators.base import AttentionOperator


class FilteredOperator(AttentionOperator):
    """f(Ā) for a filter `(operator, v) -> f(Ā) v`. Filters stack."""

    def __init__(
        self,
        operator: AttentionOperator,
        filter: Callable[[AttentionOperator, Tensor], Tensor],
    ) -> None:
        super().__init__(operator.like, operator.keep)
        self.causal, self.cache = operator.causal, operator.cache
        self.operator, self.filter = operator, filter

    def __matmul__(self, v: Tensor) -> Tensor:
        return self._apply(v)  # the filter reaches v through the inner operator, which masks it

    def mean(self, v: Tensor) -> Tensor:
        return self.operator.mean(v)

    def _apply(self, v: Tensor) -> Tensor:
        return self.filter(self.operator, v)
