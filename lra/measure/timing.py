"""How long a step takes."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from pydantic import Field

from lra.typed import frozen

WIDE = 0.2  # a spread that is flagged
LEAST, MOST = 3, 50  # repetitions
TURN_MOST, TURN_BUDGET, WARM = 10, 0.5, 0.02  # repetitions and seconds of a turn


@frozen
class Timing:
    """Milliseconds of one repetition; n of them."""

    median_ms: Annotated[float, Field(gt=0)]
    p20_ms: float
    p80_ms: float
    n: int

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


@frozen
class Spread:
    """Of ratios, one a turn."""

    median: Annotated[float, Field(gt=0)]
    p20: Annotated[float, Field(gt=0)]
    p80: Annotated[float, Field(gt=0)]
    n: Annotated[int, Field(ge=1)]

    @classmethod
    def of(cls, ratios: Sequence[float]) -> "Spread":
        time = Timing.of(ratios)
        return cls(time.median_ms, time.p20_ms, time.p80_ms, time.n)


@frozen
class Ratio:
    """The time of a training pass over that of `base`, in turns with it. control: that of a second
    copy of a base over the first one, in the same turns (A/A)."""

    base: str
    times: Spread
    control: Spread

    @property
    def within_noise(self) -> bool:
        """Whether p20 to p80 overlaps that of the control, or of its inverse: which copy is over
        which is chance."""
        low, high = self.control.p20, self.control.p80
        return self.times.p20 <= max(high, 1 / low) and min(low, 1 / high) <= self.times.p80

    def __str__(self) -> str:
        times, control = self.times, self.control
        noise = ", within noise" if self.within_noise else ""
        return (
            f"{times.median:.3f} (p20 {times.p20:.3f}, p80 {times.p80:.3f}; A/A p20 "
            f"{control.p20:.3f}, p80 {control.p80:.3f}; n {times.n}){noise}"
        )


def time_step(step: Callable[[], object], device: torch.device, budget: float) -> Timing:
    """Repeats `step` after a warm-up until MOST repetitions or `budget` seconds, LEAST at least.

    On CUDA each repetition lies between two events; on the CPU between two clock readings.
    """
    end = time.monotonic() + budget
    for _ in range(10 if device.type == "cuda" else 1):
        time_once(step, device)
    return Timing.of(_repeated(step, device, LEAST, MOST, end))


def time_turn(
    step: Callable[[], object], device: torch.device, least: int, seconds: float
) -> list[float]:
    """Milliseconds of the repetitions of one of several turns: up to TURN_MOST within `seconds`,
    `least` at least, after one that is not timed or as many as WARM seconds hold."""
    started = time.monotonic()
    time_once(step, device)
    while time.monotonic() - started < WARM:
        time_once(step, device)
    return _repeated(step, device, least, TURN_MOST, time.monotonic() + seconds)


def _repeated(
    step: Callable[[], object], device: torch.device, least: int, most: int, end: float
) -> list[float]:
    """Milliseconds of `least` repetitions, and of more, up to `most`, that end before `end`."""
    samples: list[float] = []
    while len(samples) < least or (
        len(samples) < most and time.monotonic() + samples[-1] / 1e3 < end
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
