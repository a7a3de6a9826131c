"""Checkpoints that a run goes on from: sealed, whole, the newest and the one before it."""

import hashlib
import io
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import CheckpointIO
from torch import Tensor

from attention_zoo import UsageError
from lra.system import interrupts
from lra.system.files import whole
from lra.training.curve import Curve
from lra.training.evaluation import Evaluation

NEWEST, BEFORE = "newest.state", "before.state"
MAGIC = b"lra-gfsa state 3\n"
EVERY = 30.0  # seconds
AGREE_EVERY = 10  # steps: on several devices it takes a message to save together


class SealedFiles(CheckpointIO):
    """Checkpoints under their SHA-256; the file that one replaces is kept beside it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Path, **_: Any) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getbuffer()
        with whole(path.with_name(path.name + ".new")) as file:
            file.write(MAGIC + hashlib.sha256(content).digest())
            file.write(content)
        if path.exists():
            os.replace(path, path.with_name(BEFORE))
        os.replace(path.with_name(path.name + ".new"), path)

    def load_checkpoint(self, path: Path, *_: Any, **__: Any) -> dict[str, Any]:
        """UsageError where the file is not what was written."""
        content = Path(path).read_bytes()
        start = len(MAGIC) + 32
        if content[: len(MAGIC)] != MAGIC or (
            hashlib.sha256(content[start:]).digest() != content[len(MAGIC) : start]
        ):
            raise UsageError(f"{path} is damaged")
        return torch.load(io.BytesIO(content[start:]), map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: Path) -> None:
        raise NotImplementedError("whoever owns the folder removes it")


@dataclass(frozen=True)
class Best:
    """The weights to be tested, as of the validation after `step` steps."""

    step: int
    val: Evaluation
    weights: dict[str, Tensor]


class Checkpoints(pl.Callback):
    """Saves every 30 s and at each validation, and obeys a request to stop where it has saved.

    Carries in the checkpoint what a resumed run needs besides Lightning's state: the weights to
    be tested, the learning curve, the seconds spent.
    """

    def __init__(self, folder: Path, identity: str, select: str, curve: Curve) -> None:
        self.path = folder / NEWEST
        self.identity, self.select, self.curve = identity, select, curve
        self.best: Best | None = None
        self._before = 0.0  # seconds of training in earlier processes
        self._started = self._saved = time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._started

    def state_dict(self) -> dict[str, Any]:
        return {
            "identity": self.identity,
            "best": self.best and vars(self.best) | {"val": vars(self.best.val)},
            "curve": self.curve.rows,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        best = state["best"]
        self.best = best and Best(**best | {"val": Evaluation(**best["val"])})
        self.curve.rows = state["curve"]
        self._before = state["seconds"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._started = self._saved = time.monotonic()
        if trainer.world_size == 1 and interrupts.requested():
            raise interrupts.stopped()  # nothing has been trained that is not saved

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        step = trainer.global_step
        if step % trainer.val_check_interval == 0 or step % trainer.log_every_n_steps == 0:
            return  # this step's validation, or its row in the curve, is still to come
        if trainer.world_size > 1 and step % AGREE_EVERY != 1:
            return
        due = interrupts.requested() or time.monotonic() - self._saved >= EVERY
        if trainer.strategy.broadcast(due):
            self._save(trainer)

    def on_validation_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.world_size == 1 and interrupts.requested():
            raise interrupts.stopped()

    on_test_batch_start = on_validation_batch_start

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        val = module.evaluation
        if self.best is None or self.select == "last" or val.accuracy > self.best.val.accuracy:
            weights = module.model.state_dict()
            weights = {name: value.cpu().clone() for name, value in weights.items()}
            self.best = Best(trainer.global_step, val, weights)
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()
        if trainer.strategy.broadcast(interrupts.requested()):
            raise interrupts.stopped()


def newest_checkpoint(folder: Path, identity: str) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint of this run in `folder`, with what it holds."""
    for name in (NEWEST, BEFORE):
        try:
            content = SealedFiles().load_checkpoint(folder / name)
        except (UsageError, FileNotFoundError):
            continue
        if content["callbacks"]["Checkpoints"]["identity"] == identity:
            return folder / name, content
    return None
