"""What each filter and remedy adds to a layer, as ratios measured in one run: forward + backward of
a layer with it beside one without, in turns, for some attentions at two lengths.

python -m benchmarks.filters [--attn linear ...] [--lengths 2048 ...] [--filters mean ...]
"""

import argparse

import torch

import attention_zoo
from benchmarks.gfsa_cost import BATCH, C, H, beside, layer
from benchmarks.timing import HEAD, machine
from lra.system.allocator import keep_freed_memory

ATTENTIONS = ["linear", "performer", "sdpa"]


def rows(options):
    for N in options.lengths:
        for attention in options.attn:
            for name in options.filters or attention_zoo.filters():
                spec = f"{attention}+{name}"
                base = attention, lambda a=attention, n=N: layer(a, n)
                modules = (spec, layer(spec, N)), base
                yield beside("layer", modules, N, options, options.repetitions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--attn", nargs="+", default=ATTENTIONS)
    parser.add_argument("--filters", nargs="+", help="as behind a +; default: all")
    parser.add_argument("--lengths", type=int, nargs="+", default=[2048, 8192])
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    keep_freed_memory()
    print(machine(options.device))
    print(f"forward + backward, B={options.batch} H={H} C={C}, {options.device}, in turns")
    print(HEAD)
    for row in rows(options):
        print(row, flush=True)


if __name__ == "__main__":
    main()
