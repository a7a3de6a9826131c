"""Signals in a training: they mean what they meant before it."""

import signal
from typing import Any

import pytorch_lightning as pl

ADDED_TO = (signal.SIGTERM, signal.SIGUSR1)


class Signals(pl.Callback):
    """Puts back the handlers that Lightning adds its own to when a loop begins: its one would end
    a training between two checkpoints, and ours waits for one."""

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self.handlers = {number: signal.getsignal(number) for number in ADDED_TO}

    def _put_back(self, *_: Any) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    on_train_start = on_validation_start = on_test_start = _put_back
