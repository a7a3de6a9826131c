"""An attention whose product with v is one fused kernel."""

from collections.abc import Callable

from torch import Tensor

from attention_zoo.operators.base import AttentionOperator


class KernelOperator(AttentionOperator):
    """Holds q, k and the mask; `kernel(q, k, v, keep)` computes Āv in O(N) memory."""

    def __init__(
        self,
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        keep: Tensor | None,  # (B, N)
        kernel: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor],
    ) -> None:
        super().__init__(q, keep)
        self.q, self.k, self.kernel = q, k, kernel

    def _apply(self, v: Tensor) -> Tensor:
        return self.kernel(self.q, self.k, v, self.keep)
