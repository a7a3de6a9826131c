"""Steps timed in turns, so that a drift of the machine hits all alike, and their ratios."""

import statistics
import time
from dataclasses import dataclass

import torch

from attention_zoo.costs import cpu_allocator_peak
from lra.measure.memory import cuda_peaks
from lra.measure.timing import Spread
from lra.system.environment import commit, processor


def machine(device):
    """Two lines for the head of a table: what it ran on, and which code."""
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    return (
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {name}\ncommit {commit()}"
    )


def peak(step, device):
    """Bytes that it allocates at once beyond what was there before."""
    if device == "cpu":
        return cpu_allocator_peak(step)
    before = torch.cuda.memory_allocated()
    return cuda_peaks(step)["cuda_allocated_peak"] - before


def turns(steps, repetitions, warmup=2):
    """{name: seconds, one a round} of {name: callable}, all timed in turn, round after round, and
    in every other round the other way round, so that none always follows the same one."""
    seconds = {name: [] for name in steps}
    for round in range(warmup + repetitions):
        for name in list(steps)[:: -1 if round % 2 else 1]:
            step = steps[name]
            start = time.perf_counter()
            step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def interleaved(steps, repetitions, warmup=2):
    """{name: median seconds} of {name: callable}."""
    seconds = turns(steps, repetitions, warmup)
    return {name: statistics.median(values) for name, values in seconds.items()}


@dataclass(frozen=True)
class Comparison:
    """A step beside a base, in turns.

    ms, base_ms: medians. ratio: of the step to the base. control: of a second copy of the base to
    the base, in the same rounds (A/A). most, least: the goal for the ratio, where there is one.
    """

    name: str
    base: str
    ms: float
    base_ms: float
    ratio: Spread
    control: Spread
    most: float | None = None
    least: float | None = None

    @property
    def goal(self):
        if self.most is not None:
            return f"≤ {self.most:g}"
        return "" if self.least is None else f"≥ {self.least:g}"

    @property
    def verdict(self):
        """Unclear where the goal lies between p20 and p80."""
        bound = self.least if self.most is None else self.most
        if bound is None:
            return ""
        if self.ratio.p20 <= bound <= self.ratio.p80:
            return "unclear"
        return "met" if (self.ratio.median <= bound) == (self.most is not None) else "missed"

    def __str__(self):
        """A row under HEAD."""
        cells = [self.name, self.base, f"{self.ms:.1f}", f"{self.base_ms:.1f}"]
        cells += [
            f"{s.median:.2f} ({s.p20:.2f} to {s.p80:.2f})" for s in (self.ratio, self.control)
        ]
        return f"| {' | '.join([*cells, self.goal, self.verdict])} |"


HEAD = "| step | base | ms | base ms | ratio (p20 to p80) | A/A | goal | |\n" + "|---" * 8 + "|"


def compare(name, base, steps, repetitions, *, most=None, least=None, warmup=2):
    """steps: the step, the base, and a second copy of the base."""
    step, plain, copy = turns(dict(enumerate(steps)), repetitions, warmup).values()
    ms, base_ms = (1e3 * statistics.median(seconds) for seconds in (step, plain))
    ratio, control = (
        Spread.of([a / b for a, b in zip(one, plain, strict=True)]) for one in (step, copy)
    )
    return Comparison(name, base, ms, base_ms, ratio, control, most, least)
