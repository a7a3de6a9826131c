"""An attention of no tokens, or of a batch without examples."""

import torch
from torch import Tensor

from attention_zoo.operators.base import AttentionOperator


class EmptyOperator(AttentionOperator):
    """Ā of shape (B, H, N, N) with B or N 0. Results are empty, and so are the gradients of v and
    of what `made_from` has of their shape; other tensors there have zero gradients."""

    def __init__(
        self,
        q: Tensor,  # (B, H, N, D)
        keep: Tensor | None,  # (B, N)
        made_from: tuple[Tensor, ...],
    ) -> None:
        super().__init__(q, keep)
        self.made_from = made_from

    def _apply(self, v: Tensor) -> Tensor:
        return v + torch.stack([part.sum().to(v.dtype) for part in self.made_from]).sum()
