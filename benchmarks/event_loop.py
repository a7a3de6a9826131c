"""`measure`'s rows beside a plain loop of CUDA events: `python -m benchmarks.event_loop FILE`.

FILE: a sheet that `run_lra.py measure` wrote on this GPU, at level operator or layer. Prints the
difference of each row's medians; memory is torch's own peak of one training pass.
"""

import argparse
import gc
import statistics
import sys
from pathlib import Path

import torch
from tabulate import tabulate

from attention_zoo import UsageError, build_attention, build_layer
from attention_zoo.registry import load_plugin
from lra.measure.sheet import OK, read_sheet

WARM, TIMED = 20, 50
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def passes(row, settings):
    """Forward, and forward + backward, written out."""
    H, D, N, B = settings.heads, settings.head_dim, row.N, settings.batch
    made = {"device": "cuda", "dtype": DTYPES[settings.dtype]}
    x = torch.randn(B, N, H * D, **made, requires_grad=True)
    if settings.level == "layer":
        module = build_layer(row.attention, dim=H * D, heads=H, max_len=N).to(**made)
        call, upstream = (lambda: module(x)), torch.randn_like(x)
    else:
        module = build_attention(row.attention, heads=H, head_dim=D, max_len=N, dim=H * D)
        module.to(**made)
        q, k, v = (torch.randn(B, H, N, D, **made, requires_grad=True) for _ in range(3))
        call, upstream = (lambda: module(q, k, None, x) @ v), torch.randn_like(v)

    def forward():
        module.eval()
        with torch.no_grad():
            call()

    def training():
        module.train()
        module.zero_grad(set_to_none=True)
        for leaf in (x,) if settings.level == "layer" else (q, k, v, x):
            leaf.grad = None
        call().backward(upstream)

    return forward, training


def loop(step):
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


def compared(row, settings):
    forward, training = passes(row, settings)
    times = {"forward": loop(forward), "training": loop(training)}
    torch.cuda.reset_peak_memory_stats()
    training()
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated()
    cells = {"attention": row.attention, "N": f"{row.N:,}"}
    for name, ms in times.items():
        measured = getattr(row, name).time.median_ms
        cells[f"{name} ms"] = f"{measured:.3f}"
        cells[f"loop {name}"] = f"{ms:.3f}"
        cells[f"{name} off by %"] = f"{100 * (measured / ms - 1):+.1f}"
    cells["peak MB"] = f"{row.memory['cuda_allocated_peak'] / 1e6:,.1f}"
    return cells | {"torch's": f"{peak / 1e6:,.1f}"}


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
    rows = []
    for row in sheet.rows:
        if row.status == OK:
            rows.append(compared(row, settings))
            gc.collect()
            torch.cuda.empty_cache()
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
