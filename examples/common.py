"""Trains one model as it is, with GFSA, and with the mean control, on the same batches."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gfsa.adapters import apply_gfsa

# The control has as many weights as GFSA, and a plain mean for its high-order term.
VARIANTS = {"base": "", "+gfsa": "gfsa:K=3", "+mean": "mean"}


@dataclass
class Example:
    """build: a model with new random weights. batch: what a step is trained on, of its generator.
    loss: of a model on a batch. score: of a trained model on the test examples."""

    build: Callable[[], nn.Module]
    batch: Callable[[torch.Generator], Any]
    loss: Callable[[nn.Module, Any], Tensor]
    score: Callable[[nn.Module], float]
    metric: str
    layers: str = "even"


def options(description: str, steps: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=steps, help=f"default: {steps}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, help="files of the task's published data")
    return parser.parse_args()


def compare(example: Example, given: argparse.Namespace, lr: float = 1e-3) -> dict[str, nn.Module]:
    """Prints the test score of each variant; returns the trained models."""
    models, rows = {}, []
    for name, spec in VARIANTS.items():
        torch.manual_seed(given.seed)
        model = example.build()
        if spec:
            apply_gfsa(model, spec, example.layers)
        seconds = train(name, model.train(), example, given, lr)
        with torch.no_grad():
            score = example.score(model.eval())
        weights = sum(p.numel() for p in model.parameters())
        models[name] = model
        rows.append(f"{name:6} {score:10.3f} {weights:11,} {seconds:9.0f} s")
    print(f"\n       {example.metric:>10} {'parameters':>11} {'training':>11}")
    print("\n".join(rows))
    print(f"one seed ({given.seed}), {given.steps} steps: run several before you conclude anything")
    return models


def train(
    name: str, model: nn.Module, example: Example, given: argparse.Namespace, lr: float
) -> float:
    optimiser = torch.optim.Adam(model.parameters(), lr)
    generator = torch.Generator().manual_seed(given.seed)
    began = time.perf_counter()
    for step in range(1, given.steps + 1):
        loss = example.loss(model, example.batch(generator))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % max(1, given.steps // 5) == 0:
            seconds = time.perf_counter() - began
            print(f"{name}: step {step} of {given.steps}, loss {loss.item():.3f}, {seconds:.0f} s")
    return time.perf_counter() - began


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """In per cent."""
    return 100 * (logits.argmax(-1) == labels).float().mean().item()


def drawn(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Which of `count` training examples are in a batch."""
    return torch.randint(count, (size,), generator=generator)
