"""Floating-point operations of a step, and the kernels that its attention ran."""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)


def _cpu_flash(q: tuple, k: tuple, v: tuple, *_: object, **__: object) -> int:
    return sdpa_flop_count(q, k, v)


def _cpu_flash_backward(grad: tuple, q: tuple, k: tuple, v: tuple, *_: object, **__: object) -> int:
    return sdpa_backward_flop_count(grad, q, k, v)


# Torch counts its fused CPU attention as nothing.
CPU_KERNELS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _cpu_flash,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _cpu_flash_backward,
}


def count_flops(step: Callable[[], object]) -> tuple[int, list[str]]:
    """Operations of matrix products and attention kernels (elementwise work is not counted), and
    the names of the attention kernels, or of the products where attention is made of those."""
    with FlopCounterMode(display=False, custom_mapping=CPU_KERNELS) as counter:
        step()
    operators = sorted(str(operator) for operator in counter.get_flop_counts()["Global"])
    kernels = [name for name in operators if "attention" in name and "backward" not in name]
    return counter.get_total_flops(), kernels or [name for name in operators if "bmm" in name]
