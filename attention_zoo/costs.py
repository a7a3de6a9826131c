"""What a step costs, exactly: operations, the kernels that its attention ran, bytes."""

import gc
import math
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
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


for formula in (packed_flash, packed_flash_backward):
    vars(formula)["_get_raw"] = True  # tensors, not their shapes


def formulas() -> dict[Any, Callable[..., int]]:
    """Kernels that torch counts as nothing: its fused CPU attention, xformers' flash."""
    known: dict[Any, Callable[..., int]] = {
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


class _Operators(TorchDispatchMode):
    """Calls `seen(operator, inputs, outputs)` for every operator that runs, but for views."""

    def __init__(self, seen: Callable[[Any, list[Tensor], list[Tensor]], None]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function._can_decompose():  # inference mode leaves operators of operators whole
            with self:
                return function.decompose(*args, **kwargs)
        out = function(*args, **kwargs)
        if not function.is_view:
            self.seen(function, _tensors((args, kwargs)), _tensors(out))
        return out


def _tensors(nested: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


def count_operations(step: Callable[[], object]) -> int:
    """`count_flops`, and one operation for each element that any operator writes: what hashing,
    sorting and gathering do is no product."""
    written = 0

    def seen(_: object, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        nonlocal written
        written += sum(tensor.numel() for tensor in outputs)

    with _Operators(seen):
        products, _ = count_flops(step)
    return products + written


MOVES_NOTHING = {
    torch.ops.aten.detach_,
    torch.ops.aten.empty,
    torch.ops.aten.empty_like,
    torch.ops.aten.empty_strided,
    torch.ops.aten.new_empty,
    torch.ops.aten.new_empty_strided,
}


def count_bytes(step: Callable[[], object]) -> int:
    """Bytes that operators read and write as eager execution runs them: for each, those of the
    tensors that it is given and of those that it returns, on any device.

    A view moves nothing, nor does an allocation. An element counts once a tensor, however often an
    expanded dimension or overlapping windows repeat it. A tensor given twice counts twice, one
    that is changed in place as read and as written, and one of which rows are looked up as a whole.
    What a fused kernel does between its inputs and its results is not seen, nor are caches.
    """
    moved = 0

    def seen(operator: Any, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        nonlocal moved
        if operator.overloadpacket in MOVES_NOTHING:
            return
        given = {tensor.untyped_storage()._cdata for tensor in inputs}
        here = [tensor.untyped_storage()._cdata in given for tensor in outputs]
        if operator._schema.is_mutable or not outputs or not all(here):
            moved += sum(_bytes(tensor) for tensor in (*inputs, *outputs))

    with _Operators(seen):
        step()
    return moved


def _bytes(x: Tensor) -> int:
    """Of the elements of its storage that it shows, each once."""
    if not x.numel():
        return 0
    sides = [(size, stride) for size, stride in zip(x.shape, x.stride(), strict=True) if stride]
    span = 1 + sum((size - 1) * stride for size, stride in sides)
    return min(math.prod(size for size, _ in sides), span) * x.element_size()


def cpu_allocator_peak(step: Callable[[], object]) -> int:
    """The most that `step` had allocated at once beyond what was live before it.

    Replays the profiler's memory events in the order of time: exact, the same in every run, and
    free of the allocator's own slack.
    """
    # The profiler's C++ part else reports each start and stop on standard error.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    events = [
        (event.start_ns(), event.nbytes())
        for event in profiler.profiler.kineto_results.events()
        if event.name() == "[memory]"
    ]
    live = peak = 0
    for _, size in sorted(events, key=lambda event: event[0]):
        live += size
        peak = max(peak, live)
    return peak
