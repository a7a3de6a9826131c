"""The rows that a causal attention has for new tokens."""

from collections.abc import Callable

from torch import Tensor

from attention_zoo.operators.base import AttentionOperator
from attention_zoo.operators.cache import DecodingCache


class CachedOperator(AttentionOperator):
    """The last n rows of a causal Ā, applied to values of which the cache holds the earlier ones.
    `attend` computes those rows of Ā v from all values, (B, H, T, D) -> (B, H, n, D)."""

    def __init__(
        self,
        like: Tensor,  # (B, H, n, D)
        keep: Tensor | None,  # (B, n), of the new tokens
        cache: DecodingCache,
        attend: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(like, keep)
        self.causal, self.cache = True, cache
        self._values, self._attend = cache, attend

    def _apply(self, v: Tensor) -> Tensor:
        return self._attend(self._values.append(self._values.stream("values"), v))
