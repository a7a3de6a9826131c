"""How much memory a step takes, in bytes."""

import gc
import resource
import sys
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile


def cpu_allocator_peak(step: Callable[[], object]) -> int:
    """The most that `step` had allocated at once beyond what was live before it.

    Replays the profiler's memory events in the order of time: exact, the same in every run, and
    free of the allocator's own slack.
    """
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


def process_rss_peak() -> int:
    """The most physical memory this process has held, Python and torch included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cuda_peaks(step: Callable[[], object]) -> dict[str, int]:
    """What the step's tensors needed, model and optimiser included, and what the allocator held."""
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return {
        "cuda_allocated_peak": torch.cuda.max_memory_allocated(),
        "cuda_reserved_peak": torch.cuda.max_memory_reserved(),
    }
