"""A finished run's checkpoint, evaluated again."""

from pathlib import Path

import torch

from attention_zoo import UsageError, parse_spec
from lra.config import ONE_DEVICE, RunConfig, choose_accelerator, require_support
from lra.failures import memory_errors
from lra.model import build_model
from lra.results.layout import CHECKPOINT, RECORD, result_file
from lra.results.record import Record, read_record
from lra.run.data import open_data
from lra.system.files import sha256_of
from lra.training.evaluation import Evaluation
from lra.training.fit import evaluation, new_trainer
from lra.training.module import Classifier


def evaluate(
    folder: Path,
    data_dir: Path,
    split: str,
    *,
    accelerator: str | None = None,
    plugins: tuple[str, ...] = (),
) -> tuple[Record, Evaluation]:
    """The record of a run, and the loss and accuracy of its checkpoint on a split, made anew.

    accelerator: None for the one of the record. Raises UsageError where the checkpoint is not the
    one that the record describes, or the data are not those of the run.
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
        raise UsageError(f"{checkpoint} is missing, or not the checkpoint that {RECORD} describes")
    store = open_data(config, data_dir, lambda line: None)
    model = build_model(config.attention, config.protocol, config.task, config.seed)
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(content["state_dict"])
    module = Classifier(model, config.protocol.training, config.seed)
    trainer = new_trainer(config, ONE_DEVICE, logger=False)
    batches = evaluation(store, split, config, trainer)
    with memory_errors():
        trainer.test(module, batches, verbose=False)
    return record, module.evaluation
