"""The LightningModule: losses, optimiser and what is a function of the step."""

import math
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo import Attention, Filter, UsageError
from lra.data.batches import Batch
from lra.protocols import TrainingSettings
from lra.seeds import derive, generator

CHECK_EVERY = 10  # steps between two looks at the loss, each of which waits for the device


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy (nats) and accuracy (0–1) over `count` examples, each counted once."""

    loss: float
    accuracy: float
    count: int


class Classifier(pl.LightningModule):
    """Cross-entropy training of a model, evaluated by exact counts over whole splits."""

    def __init__(self, model: nn.Module, settings: TrainingSettings, seed: int) -> None:
        super().__init__()
        self.model, self.settings, self.seed = model, settings, seed
        self.evaluation: Evaluation | None = None  # of the last whole pass over a split

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        prepare_step(self.model, self.seed, self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        tokens, keep, labels = batch
        logits = self.model(tokens, keep).float()
        loss = F.cross_entropy(logits, labels)
        accuracy = (logits.detach().argmax(-1) == labels).float().mean()
        self.log_dict({"train.loss": loss.detach(), "train.accuracy": accuracy})
        return {"loss": loss, "accuracy": accuracy}

    def on_train_batch_end(self, outputs: dict[str, Tensor], batch: Batch, batch_idx: int) -> None:
        if self.global_step % CHECK_EVERY == 0:
            require_finite("training", outputs["loss"].item(), self.global_step)

    def _start(self) -> None:
        self._loss, self._correct, self._count = 0.0, 0, 0

    def _evaluate(self, batch: Batch) -> None:
        tokens, keep, labels = batch
        logits = self.model(tokens, keep).float()
        self._loss += F.cross_entropy(logits, labels, reduction="sum").item()
        self._correct += (logits.argmax(-1) == labels).sum().item()
        self._count += len(labels)

    def _log_evaluation(self, split: str) -> None:
        loss, accuracy = self._loss / self._count, self._correct / self._count
        require_finite(split, loss, self.global_step)
        self.evaluation = Evaluation(loss, accuracy, self._count)
        self.log_dict({f"{split}.loss": loss, f"{split}.accuracy": accuracy})

    on_validation_epoch_start = on_test_epoch_start = _start

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch)

    def on_validation_epoch_end(self) -> None:
        self._log_evaluation("val")

    test_step = validation_step

    def on_test_epoch_end(self) -> None:
        self._log_evaluation("test")

    def configure_optimizers(self) -> dict[str, Any]:
        settings = self.settings
        optimizer = torch.optim.AdamW(
            parameter_groups(self.model, settings.weight_decay),
            lr=settings.learning_rate,
            eps=settings.epsilon,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=settings.learning_rate,
            total_steps=settings.steps,
            pct_start=settings.warmup / settings.steps,
            anneal_strategy="linear",
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def require_finite(which: str, loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise UsageError(
            f"the {which} loss is {loss} at step {step}: lower training.learning_rate or raise "
            "training.warmup"
        )


def prepare_step(model: nn.Module, seed: int, step: int) -> None:
    """Seeds dropout for this step and redraws what is due, from (seed, purpose, layer, step)."""
    torch.manual_seed(derive(seed, "dropout", step))
    attentions = (module for module in model.modules() if isinstance(module, Attention))
    for layer, attention in enumerate(attentions, start=1):
        if step == 0 or (attention.redraw and step % attention.redraw == 0):
            attention.resample(generator(seed, "draw", layer, step))


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
