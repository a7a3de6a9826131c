"""How long a step takes."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from attention_zoo import UsageError

WIDE = 0.2  # a spread that is flagged
LEAST, MOST = 3, 50  # repetitions
TURN_MOST, TURN_BUDGET, WARM = 10, 0.5, 0.02  # repetitions and seconds of a turn


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one repetition; n of them."""

    median_ms: float
    p20_ms: float
    p80_ms: float
    n: int

    def __post_init__(self) -> None:
        if self.median_ms <= 0:
            raise UsageError(f"a median of {self.median_ms} ms is no time")

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Timing":
        ordered = sorted(samples)
        return cls(
            statistics.median(ordered),
            ordered[round(0.2 * (len(ordered) - 1))],
            ordered[round(0.8 * (len(ordered) - 1))],
            len(ordered),
        )

    @property
    def spread(self) -> float:
        """(p80 − p20) / median."""
        return (self.p80_ms - self.p20_ms) / self.median_ms


def time_step(step: Callable[[], object], device: torch.device, budget: float) -> Timing:
    """Repeats `step` after a warm-up until MOST repetitions or `budget` seconds, LEAST at least.

    On CUDA each repetition lies between two events; on the CPU between two clock readings.
    """
    started = time.monotonic()
    for _ in range(10 if device.type == "cuda" else 1):
        time_once(step, device)
    samples: list[float] = []
    while len(samples) < LEAST or (
        len(samples) < MOST and time.monotonic() - started + samples[-1] / 1e3 < budget
    ):
        samples.append(time_once(step, device))
    return Timing.of(samples)


def time_turn(step: Callable[[], object], device: torch.device) -> list[float]:
    """Milliseconds of the repetitions of one of several turns: up to TURN_MOST within TURN_BUDGET,
    one at least, after one that is not timed or as many as WARM seconds hold."""
    started = time.monotonic()
    time_once(step, device)
    while time.monotonic() - started < WARM:
        time_once(step, device)
    started, samples = time.monotonic(), []
    while not samples or (
        len(samples) < TURN_MOST and time.monotonic() - started + samples[-1] / 1e3 < TURN_BUDGET
    ):
        samples.append(time_once(step, device))
    return samples


def time_once(step: Callable[[], object], device: torch.device) -> float:
    """Milliseconds."""
    return (_once_on_cuda if device.type == "cuda" else _once_on_cpu)(step)


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
