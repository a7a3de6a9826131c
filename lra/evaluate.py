"""A finished run's checkpoint, evaluated again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytorch_lightning as pl
import torch

from attention_zoo import UsageError, parse_spec
from lra.config import ONE_DEVICE, RunConfig, choose_accelerator, require_support
from lra.data.store import Split, Store
from lra.failures import memory_errors
from lra.model import build_model
from lra.results.layout import CHECKPOINT, RECORD, result_file
from lra.results.record import Record, read_record
from lra.run.data import open_data
from lra.system.files import sha256_of
from lra.training.evaluation import Evaluation
from lra.training.fit import evaluation, new_trainer
from lra.training.module import Classifier


@dataclass(frozen=True)
class Finished:
    """A finished run with its weights, ready to be evaluated."""

    record: Record
    config: RunConfig
    store: Store
    module: Classifier
    trainer: pl.Trainer

    def evaluate(self, split: str, examples: Split | None = None) -> Evaluation:
        """Loss and accuracy on a split. examples: in the place of those of the store."""
        store = self.store
        if examples is not None:
            store = replace(store, splits=store.splits | {split: examples})
        batches = evaluation(store, split, self.config, self.trainer)
        with memory_errors():
            self.trainer.test(self.module, batches, verbose=False)
        return self.module.evaluation


def open_run(
    folder: Path,
    data_dir: Path,
    *,
    accelerator: str | None = None,
    plugins: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Finished:
    """accelerator: None for the one of the record. say: is told of data that are made.

    Raises UsageError where the checkpoint is not the one that the record describes, or the data are
    not those of the run.
    """
    record = read_record(result_file(folder, RECORD))
    config = RunConfig(
        task=record.task,
        attention=parse_spec(record.attention),  # as it was run, whatever a protocol states today
        protocol=record.protocol,
        data=record.data.fingerprint,
        modified=record.modified,
        seed=record.seed,
        precision=record.precision,
        accelerator=choose_accelerator(accelerator or record.accelerator),
        plugins=plugins,
        micro_batch=record.micro_batch,
        train_fraction=record.data.train_fraction,
    )
    require_support(config)
    checkpoint = result_file(folder, CHECKPOINT)
    if not checkpoint.is_file() or sha256_of(checkpoint) != record.training.checkpoint:
        raise UsageError(
            f"{checkpoint} is missing, or not the checkpoint that {RECORD} describes: repeat the "
            "run with --rerun"
        )
    store = open_data(config, data_dir, say)
    model = build_model(config.attention, config.protocol, config.task, config.seed)
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(content["state_dict"])
    module = Classifier(model, config.protocol.training, config.seed)
    return Finished(record, config, store, module, new_trainer(config, ONE_DEVICE, logger=False))


def evaluate(
    folder: Path,
    data_dir: Path,
    split: str,
    *,
    accelerator: str | None = None,
    plugins: tuple[str, ...] = (),
) -> tuple[Record, Evaluation]:
    """The record of a run, and the loss and accuracy of its checkpoint on a split, made anew; as
    `open_run` takes and raises."""
    run = open_run(folder, data_dir, accelerator=accelerator, plugins=plugins)
    return run.record, run.evaluate(split)
