"""Trains one variant, keeps its best checkpoint, evaluates the test split once."""

import logging
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from attention_zoo import Spec
from gfsa import GraphFilter
from lra.data.batches import evaluation_batches, training_batches
from lra.data.store import Store
from lra.model import Encoder
from lra.protocols import Protocol
from lra.seeds import derive
from lra.tasks import get_task
from lra.training.module import Classifier, Evaluation
from lra.training.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """best_step: of the checkpoint that was kept and tested. seconds: of training, with its
    validations. weights: w0, w1, wK by layer and filter, `[layer][filter][name][head]`."""

    best_step: int
    seconds: float
    val: Evaluation
    test: Evaluation
    initial_weights: list[list[dict[str, list[float]]]]
    learned_weights: list[list[dict[str, list[float]]]]


def build_model(spec: Spec, protocol: Protocol, task: str, seed: int) -> Encoder:
    """The seed's encoder: shared weights are the same for all variants."""
    torch.manual_seed(derive(seed, "init"))
    classes = get_task(task).metadata.classes
    return Encoder(spec, protocol.model, classes=classes, max_len=protocol.task.max_len)


def train(
    spec: Spec,
    task: str,
    protocol: Protocol,
    store: Store,
    directory: Path,
    *,
    seed: int,
    precision: str,
    accelerator: str,
) -> Outcome:
    """Trains in `directory`, which gets `best.ckpt` and `metrics.csv`.

    Raises UsageError where the loss is no longer finite.
    """
    quiet_lightning()
    settings, max_len = protocol.training, protocol.task.max_len
    model = build_model(spec, protocol, task, seed)
    initial = filter_weights(model)
    module = Classifier(model, settings, seed)
    best = ModelCheckpoint(
        directory,
        filename="best",
        monitor="val.accuracy",
        mode="max",
        save_weights_only=True,
        enable_version_counter=False,
    )
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=precision,
        max_steps=settings.steps,
        val_check_interval=min(settings.eval_every, settings.steps),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=min(10, settings.steps),
        logger=CSVLogger(directory, name="", version=""),
        callbacks=[best, Progress(f"{task} {spec} seed {seed}", settings.steps)],
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    batch = settings.batch
    validation = evaluation_batches(store.splits["val"], batch, max_len)
    started = time.monotonic()
    stream = training_batches(store.splits["train"], batch, settings.steps, seed, max_len)
    test_batches = evaluation_batches(store.splits["test"], batch, max_len)
    try:
        trainer.fit(module, stream, validation)
        seconds = time.monotonic() - started
        checkpoint = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        module.load_state_dict(checkpoint["state_dict"])
        trainer.validate(module, validation, verbose=False)
        val = module.evaluation
        trainer.test(module, test_batches, verbose=False)
        test = module.evaluation
    except SystemExit:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from None
    return Outcome(
        best_step=checkpoint["global_step"],
        seconds=seconds,
        val=val,
        test=test,
        initial_weights=initial,
        learned_weights=filter_weights(model),
    )


def filter_weights(model: Encoder) -> list[list[dict[str, list[float]]]]:
    """w0, w1 and wK of every GFSA filter, by layer."""

    def of(block: nn.Module) -> list[dict[str, list[float]]]:
        return [
            {name: weight.tolist() for name, weight in module.named_parameters()}
            for module in block.modules()
            if isinstance(module, GraphFilter)
        ]

    return [of(block) for block in model.blocks]


def quiet_lightning() -> None:
    """Leaves what a user should read: Lightning's hints on loaders and hardware are not that."""
    for name in ("pytorch_lightning", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*available but not used.*",
        ".*lr_scheduler.step.*before.*optimizer.step.*",
        ".*exists and is not empty.*",
        ".*LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", message)
