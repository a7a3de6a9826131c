"""How much memory a step takes, in bytes."""

import gc
import resource
import sys
from collections.abc import Callable

import torch

# The method that stands for a device in tables and figures.
HEADLINE_MEMORY = {"cpu": "cpu_allocator_peak", "cuda": "cuda_allocated_peak"}


# What tables and figures call a method.
METHODS = {
    "cpu_allocator_peak": "allocator peak",
    "process_rss_peak": "process RSS peak",
    "cuda_allocated_peak": "GPU peak",
    "cuda_reserved_peak": "GPU reserved",
}


def headline(memory: dict[str, int]) -> int:
    """Bytes by that method, of all that were used."""
    (method,) = set(memory) & set(HEADLINE_MEMORY.values())
    return memory[method]


def has_headline(memory: dict[str, int]) -> bool:
    return len(found := set(memory) & set(HEADLINE_MEMORY.values())) == 1 and all(
        memory[method] > 0 for method in found
    )


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
