"""The LightningModule: how Lightning repeats our training step and evaluates."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lra.data.batches import Batch
from lra.failures import NotFinite
from lra.protocols import TrainingSettings
from lra.training.evaluation import Evaluation
from lra.training.optimizer import clip, make_optimizer, schedule
from lra.training.step import train_step

CHECK_EVERY = 10  # steps between two looks at the loss, each of which waits for the device


class Classifier(pl.LightningModule):
    """Cross-entropy training of a model, evaluated by exact counts over whole splits."""

    def __init__(
        self, model: nn.Module, settings: TrainingSettings, seed: int, micro: int | None = None
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # a step is the one that is measured, too
        self.model, self.settings, self.seed, self.micro = model, settings, seed, micro
        self.evaluation: Evaluation | None = None  # of the last whole pass over a split

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss, accuracy = train_step(
            self.model,
            batch,
            self.optimizers(),
            self.lr_schedulers(),
            self.manual_backward,
            seed=self.seed,
            step=self.global_step,
            rank=self.global_rank,
            micro=self.micro,
        )
        several = self.trainer.world_size > 1
        self.log_dict({"train.loss": loss, "train.accuracy": accuracy}, sync_dist=several)
        return {"loss": loss, "accuracy": accuracy}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Where gradients are whole, and no longer scaled."""
        clip(optimizer, self.settings)

    def on_train_batch_end(self, outputs: dict[str, Tensor], batch: Batch, batch_idx: int) -> None:
        if self.global_step % CHECK_EVERY == 0:
            loss = self.trainer.strategy.reduce(outputs["loss"], reduce_op="mean")
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

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        optimizer = make_optimizer(self.model, self.settings)
        return [optimizer], [schedule(optimizer, self.settings)]


def require_finite(which: str, loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise NotFinite(
            f"the {which} loss is {loss} at step {step}: lower training.learning_rate or raise "
            "training.warmup"
        )
