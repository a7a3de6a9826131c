"""What an attention, a layer and a model may be given, checked in one place."""

import torch
from torch import Tensor

from attention_zoo.errors import UsageError


def require_floats(dims: str, **tensors: Tensor) -> None:
    """Raises UsageError unless each tensor is floating-point and has as many dimensions as `dims`
    names ("B, N, C")."""
    for name, x in tensors.items():
        if x.dim() != len(dims.split(",")):
            raise UsageError(f"{name} must have shape ({dims}); got {tuple(x.shape)}")
        if not x.is_floating_point():
            raise UsageError(
                f"{name} must be floating-point; got {spelled(x.dtype)}: convert it, e.g. with "
                f"{name}.float()"
            )


def require_dtype(dtype: torch.dtype, of: str, **tensors: Tensor) -> None:
    """Raises UsageError unless each tensor has the dtype of `of`; autocast converts them itself."""
    for name, x in tensors.items():
        if x.dtype != dtype and not torch.is_autocast_enabled(x.device.type):
            raise UsageError(
                f"{name} has dtype {spelled(x.dtype)}, {of} {spelled(dtype)}: convert one, e.g. "
                f"with {name}.to({dtype})"
            )


def require_mask(keep: Tensor | None, B: int, N: int) -> None:
    """Raises UsageError unless `keep` is None or bool (B, N)."""
    if keep is None or (keep.shape == (B, N) and keep.dtype == torch.bool):
        return
    hint = "" if keep.dtype == torch.bool else "; write keep.bool() for a mask of 0 and 1"
    raise UsageError(
        f"keep must be a bool tensor of shape {(B, N)}, True for real tokens; got "
        f"{spelled(keep.dtype)} of shape {tuple(keep.shape)}{hint}"
    )


def spelled(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
