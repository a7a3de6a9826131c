"""What GFSA costs, as ratios measured in one run: `python -m benchmarks.gfsa_cost`."""

import argparse

import torch
from einops import rearrange
from torch import nn

from attention_zoo import build_layer, parse_spec
from benchmarks.timing import HEAD, compare, machine
from lra.measure.subject import later
from lra.measure.variant import steps_of
from lra.protocols import get_protocol, override
from lra.system.allocator import keep_freed_memory

C, H, BATCH = 64, 2, 4
LENGTHS = [1024, 2048, 4096, 8192, 16384]
# How many times as long a layer may take with GFSA, and a training step of a factored attention.
GOALS = {"linear": 1.12, "efficient": 1.15, "performer": 1.2, "nystrom": 1.25, "sdpa": 1.85}
STEP_GOAL, FACTORED = 1.05, ("linear", "efficient", "performer", "nystrom")


class PlainLinear(nn.Module):
    """Linear attention as its paper has it: three products, then one division."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(C, 3 * C), nn.Linear(C, C)

    def forward(self, x):
        q, k, v = rearrange(self.qkv(x), "b n (three h d) -> three b h n d", three=3, h=H)
        q, k = nn.functional.elu(q) + 1, nn.functional.elu(k) + 1
        normaliser = q @ k.sum(-2).unsqueeze(-1)
        return self.out(rearrange(q @ (k.mT @ v) / normaliser, "b h n d -> b n (h d)"))


class DenseFormulation(nn.Module):
    """GFSA as its authors released it: softmax written down, (Ā − I)Ā as a product of matrices."""

    def __init__(self, K=3):
        super().__init__()
        self.qkv, self.out, self.K = nn.Linear(C, 3 * C), nn.Linear(C, C), K
        self.wK = nn.Parameter(torch.zeros(H))

    def forward(self, x):
        q, k, v = rearrange(self.qkv(x), "b n (three h d) -> three b h n d", three=3, h=H)
        A = (q @ k.mT / (C // H) ** 0.5).softmax(-1)
        identity = torch.eye(A.shape[-1], device=A.device)
        power = A + (self.K - 1) * ((A - identity) @ A)
        A = A + self.wK.view(-1, 1, 1) * power
        return self.out(rearrange(A @ v, "b h n d -> b n (h d)"))


class Masked(nn.Module):
    """A layer that is given a mask though nothing is padded."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device))


def layer(spec, N):
    return build_layer(spec, dim=C, heads=H, max_len=N)


def step_of(module, B, N, device):
    module.to(device)
    x = torch.randn(B, N, C, device=device, requires_grad=True)
    upstream = torch.randn(B, N, C, device=device)
    given = (None, later(module, x)) if later(module, x) else ()
    return lambda: module(x, *given).backward(upstream)


def beside(name, modules, N, options, repetitions, **goal):
    """Forward and backward of a layer beside another one, each a (name, module)."""
    (one, module), (base, make) = modules
    steps = [step_of(m, options.batch, N, options.device) for m in (module, make(), make())]
    return compare(f"{name}, N={N:,}: {one}", base, steps, repetitions, **goal)


def layers(options):
    """A layer with GFSA beside the same without."""
    for attention, most in GOALS.items():
        lengths = options.lengths if attention == "linear" else options.lengths[::2][:2]
        for N in lengths:
            spec = f"{attention}+gfsa"
            modules = (spec, layer(spec, N)), (attention, lambda a=attention, n=N: layer(a, n))
            yield beside("layer", modules, N, options, options.repetitions, most=most)


def masks(options):
    """A layer with a mask of real tokens alone beside the same without a mask."""
    for attention in GOALS:
        N = options.lengths[min(1, len(options.lengths) - 1)]
        base = attention, lambda a=attention, n=N: layer(a, n)
        modules = (f"{attention}, masked", Masked(layer(attention, N))), base
        yield beside("layer", modules, N, options, options.repetitions)


def training_steps(options):
    """A training step at the task's full length with GFSA beside the same without."""
    protocol, _ = override(
        get_protocol("nystromformer", "listops"), [f"training.batch={options.batch}", *options.set]
    )
    about = {"device": torch.device(options.device), "precision": "32-true"}
    for attention in FACTORED:
        specs = map(parse_spec, (f"{attention}+gfsa", attention, attention))
        steps = [steps_of(spec, "listops", protocol, **about).training for spec in specs]
        name = f"training step, N={protocol.task.max_len:,}: {attention}+gfsa"
        yield compare(name, attention, steps, options.repetitions, most=STEP_GOAL)


def formulations(options):
    """Other ways to write what is above down."""
    for N in options.lengths:
        modules = ("linear+gfsa", layer("linear+gfsa", N)), ("three products", PlainLinear)
        yield beside("layer", modules, N, options, options.repetitions)
    few, N = max(3, options.repetitions // 5), options.dense_length
    base = "linear+gfsa", lambda: layer("linear+gfsa", N)
    modules = ("released dense formulation", DenseFormulation()), base
    yield beside("layer", modules, N, options, few, warmup=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--dense-length", type=int, default=2048)
    parser.add_argument("--set", nargs="+", default=[], help="section.key=value of the protocol")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    keep_freed_memory()
    print(machine(options.device))
    print(f"forward + backward, B={options.batch} H={H} C={C}, {options.device}, in turns")
    print(HEAD)
    for part in (layers, training_steps, formulations):
        for row in part(options):
            print(row, flush=True)


if __name__ == "__main__":
    main()
