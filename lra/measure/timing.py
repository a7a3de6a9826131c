"""How long a step takes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

LEAST, MOST = 3, 50  # repetitions


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one repetition; n of them."""

    median_ms: float
    p20_ms: float
    p80_ms: float
    n: int


def time_step(step: Callable[[], object], device: torch.device, budget: float) -> Timing:
    """Repeats `step` after a warm-up until MOST repetitions or `budget` seconds, LEAST at least.

    On CUDA each repetition lies between two events; on the CPU between two clock readings.
    """
    once = _once_on_cuda if device.type == "cuda" else _once_on_cpu
    started = time.monotonic()
    for _ in range(10 if device.type == "cuda" else 1):
        once(step)
    samples: list[float] = []
    while len(samples) < LEAST or (
        len(samples) < MOST and time.monotonic() - started + samples[-1] / 1e3 < budget
    ):
        samples.append(once(step))
    ordered = sorted(samples)
    return Timing(
        statistics.median(samples),
        ordered[round(0.2 * (len(ordered) - 1))],
        ordered[round(0.8 * (len(ordered) - 1))],
        len(samples),
    )


def _once_on_cpu(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) * 1e3


def _once_on_cuda(step: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    step()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
