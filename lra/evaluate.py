"""A finished run's checkpoint, evaluated again."""

from pathlib import Path

import torch

from attention_zoo import UsageError, parse_spec
from lra.failures import memory_errors
from lra.model import build_model
from lra.results.record import RECORD, Record, read_record
from lra.results.runs import find_run
from lra.run import CHECKPOINT, open_data
from lra.run_config import RunConfig, choose_accelerator, require_support
from lra.system.files import sha256_of
from lra.training.evaluation import Evaluation
from lra.training.fit import ONE_DEVICE, evaluation, new_trainer
from lra.training.module import Classifier


def find_finished(name: str, results: Path) -> Path:
    """The folder of a run with a result, given as `find_run` takes it."""
    folder = find_run(name, results)
    if not (folder / RECORD).is_file():
        raise UsageError(f"{folder} has no finished run, only the record of its failure")
    return folder


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
    record = read_record(folder / RECORD)
    config = RunConfig(
        task=record.task,
        attention=parse_spec(record.attention),
        protocol=record.protocol,
        data=record.data.fingerprint,
        modified=record.modified,
        seed=record.seed,
        precision=record.precision,
        accelerator=choose_accelerator(accelerator or record.accelerator),
        plugins=plugins,
        micro_batch=record.micro_batch,
    )
    require_support(config)
    checkpoint = folder / CHECKPOINT
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
