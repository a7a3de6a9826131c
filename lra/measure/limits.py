"""What the machine gives at most: the rate of a copy, and of a product of matrices."""

import torch

from lra.measure.sheet import Limits, Pass
from lra.measure.timing import time_step
from lra.system.memory import available_memory

COPY = {"cpu": 1 << 29, "cuda": 1 << 31}  # bytes, much more than any cache
SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices
BUDGET = 2.0  # seconds for each


def machine_limits(device: torch.device, dtype: torch.dtype) -> Limits:
    """Measured in this process, with its threads; of repetitions the faster ones (p20)."""
    free = available_memory() if device.type == "cpu" else torch.cuda.mem_get_info()[0]
    size = min(COPY[device.type], (free or COPY[device.type]) // 4)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = time_step(lambda: target.copy_(source), device, BUDGET)
    side = SIDE[device.type]
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = time_step(lambda: a @ b, device, BUDGET)
    return Limits(2 * size / copy.p20_ms * 1e3, 2 * side**3 / product.p20_ms * 1e3)


def shares(passed: Pass, limits: Limits) -> tuple[float, float]:
    """The time that its bytes alone would take at the rate of a copy, and its operations at that of
    a product, as shares of what it took. Of bytes more than 1 where they stay in caches."""
    seconds = passed.time.median_ms / 1e3
    return (
        passed.bytes / limits.bytes_per_second / seconds,
        passed.flops / limits.flops_per_second / seconds,
    )
