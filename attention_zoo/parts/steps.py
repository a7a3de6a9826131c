"""Step sizes of state spaces."""

import math

import torch
from torch import Tensor

from attention_zoo.errors import UsageError


def log_steps(count: int, dt_min: float, dt_max: float) -> Tensor:  # (count,)
    """log Δ, drawn evenly between log dt_min and log dt_max."""
    if not 0 < dt_min <= dt_max:
        raise UsageError(f"expected 0 < dt_min <= dt_max; got dt_min={dt_min}, dt_max={dt_max}")
    low, high = math.log(dt_min), math.log(dt_max)
    return low + (high - low) * torch.rand(count)
