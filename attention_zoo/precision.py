"""In which dtype normalisers and exponentials are computed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def full_precision(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in float32 (float64 stays), autocast off: an exponential of a bfloat16 logit
    is wrong by 0.4 % of the logit, and a sum over N of bfloat16 terms loses the small ones."""
    with torch.autocast(tensors[0].device.type, enabled=False):
        yield tuple(x if x.dtype == torch.float64 else x.float() for x in tensors)


def lowest(x: Tensor) -> float:
    """What a masked logit is set to: exp gives exactly 0 beside any real logit, and, unlike −∞,
    a row with nothing real in it stays finite."""
    return torch.finfo(x.dtype).min / 2
