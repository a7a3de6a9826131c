"""An attention whose product with v is one fused kernel."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from attention_zoo.operators.base import AttentionOperator


class KernelOperator(AttentionOperator):
    """Holds q, k and the mask; `kernel(q, k, v, keep)` computes Āv in O(N) memory.

    dropped: the same with dropout, `dropped(p, q, k, v, keep)`, which draws at each application.
    """

    def __init__(
        self,
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        keep: Tensor | None,  # (B, N)
        kernel: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor],
        dropped: Callable[[float, Tensor, Tensor, Tensor, Tensor | None], Tensor] | None = None,
    ) -> None:
        super().__init__(q, keep)
        self.q, self.k, self.kernel, self.dropped = q, k, kernel, dropped

    def dropout(self, p: float) -> AttentionOperator:
        if self.dropped is None:
            return super().dropout(p)
        return KernelOperator(self.q, self.k, self.keep, partial(self.dropped, p))

    def _apply(self, v: Tensor) -> Tensor:
        return self.kernel(self.q, self.k, v, self.keep)
