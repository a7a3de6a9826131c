"""`measure`'s rows beside a plain loop of CUDA events: `python -m benchmarks.event_loop FILE`.

FILE: a sheet that `run_lra.py measure` wrote on this GPU, at level operator or layer. The same
passes are run one after another with an event before and after each, and no wait in between.
Prints how far each row's medians are from the loop's, and its peak memory beside torch's own of one
training pass. Exit status 1 where a median is off by more than 5 %.
"""

import argparse
import gc
import statistics
import sys
from pathlib import Path

import torch
from tabulate import tabulate

from attention_zoo import UsageError
from attention_zoo.registry import load_plugin
from lra.measure.job import Job
from lra.measure.sheet import OK, read_sheet
from lra.measure.subject import subject

WARM, TIMED = 20, 50
BOUND = 5.0  # percent


def loop(step):
    """The median of its milliseconds."""
    for _ in range(WARM):
        step()
    events = []
    for _ in range(TIMED):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        end.record()
        events.append((start, end))
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in events)


def peak(step):
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def compared(row, job):
    """The row's cells, and by how many percent each of its medians is off."""
    steps = subject(job, row.N, compile=False)
    cells, deviations = {"attention": row.attention, "N": f"{row.N:,}"}, []
    for name in ("training", "forward"):  # the forward pass, the last, leaves no gradients
        ms, measured = loop(getattr(steps, name)), getattr(row, name).time.median_ms
        deviations.append(100 * (measured / ms - 1))
        cells[f"{name} ms"] = f"{measured:.3f}"
        cells[f"loop {name}"] = f"{ms:.3f}"
        cells[f"{name} off by %"] = f"{deviations[-1]:+.1f}"
    cells["peak MB"] = f"{row.memory['cuda_allocated_peak'] / 1e6:,.1f}"
    return cells | {"torch's": f"{peak(steps.training) / 1e6:,.1f}"}, deviations


def verdict(deviations):
    """The largest deviation in words, and the exit status."""
    largest = max(deviations, key=abs)
    return f"Largest deviation of a median: {largest:+.1f} %.", int(abs(largest) > BOUND)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--plugin", nargs="+", default=["gfsa"])
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks.event_loop: it needs a CUDA device, and torch sees none")
    for plugin in options.plugin:
        load_plugin(plugin)
    try:
        sheet = read_sheet(options.sheet)
    except UsageError as error:
        sys.exit(f"benchmarks.event_loop: {error}")
    settings = sheet.settings
    if settings.accelerator != "cuda" or settings.level == "step" or settings.compile:
        sys.exit("benchmarks.event_loop: it takes operators or layers, measured uncompiled on CUDA")
    rows, deviations = [], []
    for row in sheet.rows:
        if row.status == OK:
            job = Job(row.attention, settings, None, (), None, ())
            cells, off = compared(row, job)
            rows.append(cells)
            deviations += off
            gc.collect()
            torch.cuda.empty_cache()
    if not rows:
        sys.exit(f"benchmarks.event_loop: {options.sheet} has no row with figures")
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))
    text, status = verdict(deviations)
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
