"""What is optimised how: parameter groups and the learning rate's schedule."""

from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from attention_zoo import Filter
from lra.protocols import TrainingSettings


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Learned parameters, those of filters without weight decay."""
    filters = [module for module in model.modules() if isinstance(module, Filter)]
    free = {id(parameter) for module in filters for parameter in module.parameters()}
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
