"""Floating-point operations of a step, and the kernels that its attention ran."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)


def _cpu_flash(q: tuple, k: tuple, v: tuple, *_: object, **__: object) -> int:
    return sdpa_flop_count(q, k, v)


def _cpu_flash_backward(grad: tuple, q: tuple, k: tuple, v: tuple, *_: object, **__: object) -> int:
    return sdpa_backward_flop_count(grad, q, k, v)


def packed_flash(
    query: Tensor,  # (B, N, H, D), or (ΣN, H, D) packed
    key: Tensor,
    value: Tensor,
    offsets: Tensor | None,  # where each packed sequence starts, and the end
    *_: object,
    **__: object,
) -> int:
    """Two products of N×N×D a head: 4 N² D operations a sequence and head."""
    H, D = query.shape[-2:]
    if offsets is None:
        return 4 * query.shape[0] * query.shape[1] ** 2 * H * D
    return 4 * int(offsets.diff().double().square().sum()) * H * D


def packed_flash_backward(
    share: bool,
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    lse: Tensor,
    offsets: Tensor | None,
    *_: object,
    **__: object,
) -> int:
    """Five products, the scores' recomputation among them."""
    return packed_flash(query, key, value, offsets) * 5 // 2


packed_flash._get_raw = packed_flash_backward._get_raw = True  # tensors, not their shapes


def formulas() -> dict[Any, Callable[..., int]]:
    """Kernels that torch counts as nothing: its fused CPU attention, xformers' flash."""
    known = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _cpu_flash,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _cpu_flash_backward,
    }
    flash = torch.ops.xformers_flash  # its operators exist once xformers is imported
    if hasattr(flash, "flash_fwd"):
        known |= {flash.flash_fwd: packed_flash, flash.flash_bwd: packed_flash_backward}
    return known


def count_flops(step: Callable[[], object]) -> tuple[int, list[str]]:
    """Operations of matrix products and attention kernels (elementwise work is not counted), and
    the names of the attention kernels, or of the products where attention is made of those."""
    with FlopCounterMode(display=False, custom_mapping=formulas()) as counter:
        step()
    operators = sorted(str(operator) for operator in counter.get_flop_counts().get("Global", {}))
    forward = [name for name in operators if "backward" not in name and "bwd" not in name]
    kernels = [name for name in forward if "attention" in name or "flash" in name]
    return counter.get_total_flops(), kernels or [name for name in forward if "bmm" in name]
