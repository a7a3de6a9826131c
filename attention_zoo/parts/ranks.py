"""Real tokens brought to the front, so that places are their ranks."""

import torch
from torch import Tensor


def to_front(x: Tensor, keep: Tensor | None) -> Tensor:  # (B, N, C)
    """The real tokens first, in their order, and what pads hold after them."""
    if keep is None:
        return x
    order = (~keep).to(torch.uint8).argsort(dim=1, stable=True)
    return x.gather(1, order[..., None].expand_as(x))


def from_front(y: Tensor, keep: Tensor | None) -> Tensor:  # (B, N, C)
    """Each real token its row of y again; rows of pads hold any row."""
    if keep is None:
        return y
    rank = (keep.cumsum(1) - 1).clamp(min=0)
    return y.gather(1, rank[..., None].expand_as(y))
