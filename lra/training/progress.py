"""What a person sees while a run trains."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm


class Progress(pl.Callback):
    """One bar with loss, accuracy, step time and time left; off a terminal, a line at each
    validation."""

    def __init__(self, title: str, steps: int) -> None:
        self.title, self.steps = title, steps
        self.bar: tqdm | None = None
        self.shown: dict[str, str] = {}
        self.average: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.monotonic()
        self.last = 0, time.perf_counter()
        layout = "{desc}: {percentage:3.0f}% {bar} {n}/{total} [{elapsed}<{remaining}{postfix}]"
        self.bar = tqdm(total=self.steps, desc=self.title, bar_format=layout, disable=None)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        step = trainer.global_step
        if step % 10 == 0 or step == self.steps:
            self._smooth("loss", outputs["loss"].item(), "{:.3f}")  # waits for the device
            self._smooth("accuracy", 100 * outputs["accuracy"].item(), "{:.1f} %")
            now = time.perf_counter()
            self._smooth("step", 1e3 * (now - self.last[1]) / (step - self.last[0]), "{:.0f} ms")
            self.last = step, now
        self.bar.set_postfix(self.shown, refresh=False)
        self.bar.update()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.bar is None:
            return
        self.last = trainer.global_step, time.perf_counter()  # no step's time holds a validation
        self.shown["val"] = f"{100 * trainer.callback_metrics['val.accuracy'].item():.1f} %"
        if self.bar.disable:
            elapsed = time.monotonic() - self.started
            left = elapsed / trainer.global_step * (self.steps - trainer.global_step)
            shown = ", ".join(f"{name} {value}" for name, value in self.shown.items())
            print(
                f"{self.title}: {trainer.global_step}/{self.steps} steps, {shown}, "
                f"{duration(elapsed)} gone, {duration(left)} left",
                file=sys.stderr,
                flush=True,
            )

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar.close()
        self.bar = None  # later validations are not the training's

    def _smooth(self, name: str, value: float, style: str) -> None:
        before = self.average.get(name, value)
        self.average[name] = 0.8 * before + 0.2 * value
        self.shown[name] = style.format(self.average[name])


def duration(seconds: float) -> str:
    """Seconds as people say them: 40 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
