"""What all filters with weights of their own share: which of them learn, and for how many heads."""

from collections.abc import Collection, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from attention_zoo import Filter

Share = Literal["heads", "none"]


class WeightedFilter(Filter):
    """A filter with some numbers for each head, or for all heads of the layer together.

    Args:
        heads: H of the attention that it stands on.
        starts: where each weight starts, by name.
        learn: the names of those that training changes, or `none`.
        share: `heads` for one number a layer, `none` for one a head.
    """

    def __init__(
        self,
        heads: int,
        starts: Mapping[str, float],
        learn: Collection[str] | Literal["none"],
        share: Share,
    ) -> None:
        super().__init__(heads)
        count = 1 if share == "heads" else heads
        learned = () if learn == "none" else learn
        for name, start in starts.items():
            weight = nn.Parameter(torch.full((count,), start), requires_grad=name in learned)
            self.register_parameter(name, weight)

    def weight(self, name: str) -> Tensor:  # (H,)
        weight: Tensor = getattr(self, name)
        return weight.expand(self.heads)

    def columns(self, *names: str) -> list[Tensor]:  # (H, 1, 1) each
        """For sums of matrices, in a `reference`."""
        return [self.weight(name)[:, None, None] for name in names]


def identity_like(matrix: Tensor) -> Tensor:  # (…, N, N) -> (N, N)
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)


def mean_like(
    matrix: Tensor,  # (B, H, N, N)
    keep: Tensor | None,  # (B, N)
    prefix: bool = False,
) -> Tensor:  # (B, H, N, N)
    """11ᵀ/n over the n real tokens, or over those up to each: zero in the columns of padded
    positions."""
    columns = torch.ones_like(matrix)
    if keep is not None:
        columns = columns * keep[:, None, None, :]
    if prefix:
        columns = columns.tril()
    return columns / columns.sum(-1, keepdim=True).clamp(min=1)
