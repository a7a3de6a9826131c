"""Taylor and power in each other's place, without training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo import Filter
from gfsa import GraphFilter
from gfsa.analysis import Observation
from lra.analysis.sequence import has_taylor_form
from lra.config import RunConfig
from lra.data.batches import evaluation_batches
from lra.data.store import Split
from lra.results.analysis import Swap
from lra.training.evaluation import Evaluation
from lra.training.fit import padding

OTHER: dict[str, Literal["taylor", "power"]] = {"taylor": "power", "power": "taylor"}


def swappable(model: nn.Module) -> list[GraphFilter]:
    """The filters whose two forms differ: those of K ≥ 3."""
    found = [one for one in model.modules() if isinstance(one, Filter) and has_taylor_form(one)]
    return [one for one in found if one.K > 2]


@contextmanager
def swapped(model: nn.Module) -> Iterator[None]:
    """Inside it, every filter of K ≥ 3 has the other form, with the weights it has."""
    filters = swappable(model)
    for one in filters:
        one.mode = OTHER[one.mode]
    try:
        yield
    finally:
        for one in filters:
            one.mode = OTHER[one.mode]


def output_changes(layer: nn.Module, one: Observation) -> Tensor:
    """‖y' − y‖_F / ‖y‖_F of each sequence (B,), y the layer's output on its own input, y' the same
    in the other form."""
    y = one.y
    with swapped(layer):
        change = layer(one.x, one.keep, one.shared) - y
    if one.keep is not None:
        change, y = (torch.where(one.keep[..., None], part, 0.0) for part in (change, y))
    return change.double().norm(dim=(1, 2)) / y.double().norm(dim=(1, 2))


def swap(model: nn.Module, split: Split, name: str, config: RunConfig) -> Swap:
    """Accuracy on a split before and after."""
    modes = {OTHER[one.mode] for one in swappable(model)}
    before, labels = predictions(model, split, config)
    with swapped(model):
        after, _ = predictions(model, split, config)
    changed = (before.argmax(-1) != after.argmax(-1)).double().mean().item()
    mode = modes.pop() if len(modes) == 1 else "mixed"
    return Swap(mode, name, evaluated(before, labels), evaluated(after, labels), changed)


def predictions(model: nn.Module, split: Split, config: RunConfig) -> tuple[Tensor, Tensor]:
    """Logits and labels of every example, the longest first."""
    device = next(model.parameters()).device
    batch = config.protocol.training.batch
    batches = evaluation_batches(split, batch, padding(config), micro=config.micro_batch)
    found = [
        (model(tokens.to(device), keep.to(device)).float().cpu(), labels)
        for tokens, keep, labels in batches
    ]
    logits, labels = zip(*found, strict=True)
    return torch.cat(logits), torch.cat(labels)


def evaluated(logits: Tensor, labels: Tensor) -> Evaluation:
    loss = F.cross_entropy(logits.double(), labels).item()
    right = (logits.argmax(-1) == labels).double().mean().item()
    return Evaluation(loss, right, len(labels))
