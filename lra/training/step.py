"""One step of training: what Lightning repeats and what `measure` times."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from attention_zoo import Attention, Mixer
from lra.data.batches import Batch
from lra.seeds import derive, generator
from lra.training.loss import training_loss


class Steps(Protocol):
    """An optimiser whose `step` unscales gradients and clips them first: Lightning's around ours,
    or `lra.training.optimizer.Scaled`."""

    def zero_grad(self) -> None: ...

    def step(self) -> object: ...


def train_step(
    model: nn.Module,
    batch: Batch,
    optimizer: Steps,
    scheduler: LRScheduler,
    backward: Callable[[Tensor], object],
    *,
    seed: int,
    step: int,
    rank: int = 0,
    micro: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Draws what is due, goes forward and backward, optimises: the loss and accuracy of the batch.

    Args:
        model: in training mode, and under the autocast of its precision, of which the forward
            passes alone make use.
        backward: scales a loss as the optimiser unscales it, and adds up its gradients.
        step: from 0. Draws are a function of it, of the seed and, for dropout, of the rank.
        micro: examples that go through the model at once, None for all.
    """
    tokens, keep, labels = batch
    plain = partial(torch.autocast, tokens.device.type, enabled=False)
    with plain():
        prepare_step(model, seed, step, rank)
    optimizer.zero_grad()
    whole = len(labels)
    total = torch.zeros((), device=tokens.device)
    right = torch.zeros((), device=tokens.device)
    for start in range(0, whole, micro or whole):
        part = slice(start, start + (micro or whole))
        loss, correct = training_loss(model, (tokens[part], keep[part], labels[part]), whole)
        with plain():
            backward(loss)
        total, right = total + loss.detach(), right + correct
    with plain():
        optimizer.step()
    scheduler.step()
    return total, right / whole


def prepare_step(model: nn.Module, seed: int, step: int, rank: int = 0) -> None:
    """Seeds dropout for this step and redraws what is due, from (seed, purpose, layer, step).

    Dropout differs from rank to rank, as their examples do; draws do not.
    """
    torch.manual_seed(derive(seed, "dropout", step, *([rank] if rank else [])))
    attentions = (module for module in model.modules() if isinstance(module, Attention | Mixer))
    for layer, attention in enumerate(attentions, start=1):
        if step == 0 or (attention.redraw and step % attention.redraw == 0):
            attention.resample(generator(seed, "draw", layer, step))


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """As Lightning's plug-in for mixed precision has it; of float32 none."""
    mixed = dtype != torch.float32
    return torch.autocast(
        device.type, dtype if mixed else torch.bfloat16, enabled=mixed, cache_enabled=False
    )
