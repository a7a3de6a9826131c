"""What a training run says of itself while it goes on."""

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

from lra.training.report import Report

EVERY = 10  # steps between two looks at the loss, each of which waits for the device


class Progress(pl.Callback):
    """Reports loss, accuracy, step time and time left, every ten steps and at each validation."""

    def __init__(self, steps: int, report: Callable[[Report], None]) -> None:
        self.steps, self.report = steps, report
        self.shown: dict[str, str] = {}
        self.average: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.monotonic(), trainer.global_step
        self.last = trainer.global_step, time.perf_counter()
        self._send(trainer)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        step = trainer.global_step
        if step % EVERY == 0 or step == self.steps:
            self._smooth("loss", outputs["loss"].item(), "{:.3f}")
            self._smooth("accuracy", 100 * outputs["accuracy"].item(), "{:.1f} %")
            now = time.perf_counter()
            self._smooth("step", 1e3 * (now - self.last[1]) / (step - self.last[0]), "{:.0f} ms")
            self.last = step, now
            self._send(trainer)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.last = trainer.global_step, time.perf_counter()  # no step holds a validation
            self.shown["val"] = f"{100 * module.evaluation.accuracy:.1f} %"
            self._send(trainer, validated=True)

    def _send(self, trainer: pl.Trainer, validated: bool = False) -> None:
        if trainer.is_global_zero:
            began, first = self.started
            step, left = trainer.global_step, None
            if step > first:
                left = (time.monotonic() - began) / (step - first) * (self.steps - step)
            self.report(Report(step, self.steps, dict(self.shown), validated, left))

    def _smooth(self, name: str, value: float, style: str) -> None:
        before = self.average.get(name, value)
        self.average[name] = 0.8 * before + 0.2 * value
        self.shown[name] = style.format(self.average[name])
