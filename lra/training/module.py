"""The LightningModule: losses, optimiser and what is a function of the step."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo import Attention
from lra.data.batches import Batch
from lra.failures import NotFinite
from lra.protocols import TrainingSettings
from lra.seeds import derive, generator
from lra.training.evaluation import Evaluation
from lra.training.loss import training_loss
from lra.training.optimizer import parameter_groups, schedule

CHECK_EVERY = 10  # steps between two looks at the loss, each of which waits for the device


class Classifier(pl.LightningModule):
    """Cross-entropy training of a model, evaluated by exact counts over whole splits."""

    def __init__(
        self, model: nn.Module, settings: TrainingSettings, seed: int, micro: int | None = None
    ) -> None:
        super().__init__()
        self.model, self.settings, self.seed, self.micro = model, settings, seed, micro
        self.evaluation: Evaluation | None = None  # of the last whole pass over a split

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        prepare_step(self.model, self.seed, self.global_step, self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        self.zero_grad()
        loss, accuracy = training_loss(self.model, batch, self.micro)
        several = self.trainer.world_size > 1
        self.log_dict({"train.loss": loss.detach(), "train.accuracy": accuracy}, sync_dist=several)
        return {"loss": loss, "accuracy": accuracy}

    def optimizer_zero_grad(self, *arguments: Any) -> None:
        """Lightning clears gradients after the training step, which has then added some up."""

    def on_train_batch_end(self, outputs: dict[str, Tensor], batch: Batch, batch_idx: int) -> None:
        if self.global_step % CHECK_EVERY == 0:
            loss = self.trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean")
            require_finite("training", loss.item(), self.global_step)

    def _start(self) -> None:
        self._sums = [0.0, 0.0, 0.0]  # loss, right answers, examples

    def _evaluate(self, batch: Batch) -> None:
        tokens, keep, labels = batch
        logits = self.model(tokens, keep).float()
        self._sums[0] += F.cross_entropy(logits, labels, reduction="sum").item()
        self._sums[1] += (logits.argmax(-1) == labels).sum().item()
        self._sums[2] += len(labels)

    def _log_evaluation(self, split: str) -> None:
        sums = torch.tensor(self._sums, dtype=torch.float64, device=self.device)
        total, correct, count = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        loss, accuracy = total / count, correct / count
        require_finite(split, loss, self.global_step)
        self.evaluation = Evaluation(loss, accuracy, round(count))
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
            betas=(settings.beta1, settings.beta2),
            eps=settings.epsilon,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule(optimizer, settings), "interval": "step"},
        }


def require_finite(which: str, loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise NotFinite(
            f"the {which} loss is {loss} at step {step}: lower training.learning_rate or raise "
            "training.warmup"
        )


def prepare_step(model: nn.Module, seed: int, step: int, rank: int = 0) -> None:
    """Seeds dropout for this step and redraws what is due, from (seed, purpose, layer, step).

    Dropout differs from rank to rank, as their examples do; draws do not.
    """
    torch.manual_seed(derive(seed, "dropout", step, *([rank] if rank else [])))
    attentions = (module for module in model.modules() if isinstance(module, Attention))
    for layer, attention in enumerate(attentions, start=1):
        if step == 0 or (attention.redraw and step % attention.redraw == 0):
            attention.resample(generator(seed, "draw", layer, step))
