"""What is optimised how: parameter groups, clipping and the learning rate's schedule."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from attention_zoo.filter import Filter, Modifier
from lra.protocols import TrainingSettings


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> AdamW:
    return AdamW(
        parameter_groups(model, settings.weight_decay),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
    )


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Learned parameters, those of filters and the vectors of remedies without weight decay."""
    added = [module for module in model.modules() if isinstance(module, Modifier)]
    free = {
        id(parameter)
        for module in added
        for parameter in module.parameters()
        if isinstance(module, Filter) or parameter.dim() < 2
    }
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learned if id(p) not in free], "weight_decay": weight_decay},
        {"params": [p for p in learned if id(p) in free], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def schedule(optimizer: Optimizer, settings: TrainingSettings) -> LRScheduler:
    if settings.schedule != "onecycle":
        return LambdaLR(optimizer, settings.rate)
    return OneCycleLR(
        optimizer,
        max_lr=settings.learning_rate,
        total_steps=settings.steps,
        pct_start=settings.warmup / settings.steps,
        anneal_strategy="linear",
    )


def clip(optimizer: Optimizer, settings: TrainingSettings) -> None:
    """Clips the gradients of all parameters by entry or by norm, where the settings say so."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if settings.clip_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, settings.clip_value)
    if settings.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)


class Scaled:
    """An optimiser under a gradient scaler, as Lightning has one under its precision plug-in: in
    float16 it scales losses, and leaves out a step whose gradients are not finite."""

    def __init__(
        self, optimizer: Optimizer, settings: TrainingSettings, device: str, *, enabled: bool
    ) -> None:
        self.optimizer, self.settings = optimizer, settings
        self.scaler = torch.amp.GradScaler(device, enabled=enabled)

    def zero_grad(self) -> None:
        self.optimizer.zero_grad()

    def backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def step(self) -> None:
        self.scaler.unscale_(self.optimizer)
        clip(self.optimizer, self.settings)
        self.scaler.step(self.optimizer)
        self.scaler.update()
