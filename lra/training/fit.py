"""Trains one variant, keeps its best weights, evaluates the test split once."""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from attention_zoo import UsageError
from lra.config import ONE_DEVICE, Launch, RunConfig, require_precision
from lra.data.batches import Padding, Stream, evaluation_batches, training_batches
from lra.data.store import Store
from lra.model import build_model
from lra.system import interrupts
from lra.system.threads import fix_threads
from lra.tasks import get_task
from lra.training.checkpoints import Checkpoints, SealedFiles, newest_checkpoint
from lra.training.curve import Curve
from lra.training.evaluation import Evaluation
from lra.training.metrics import METRICS, TENSORBOARD
from lra.training.module import Classifier
from lra.training.progress import Progress
from lra.training.report import Report
from lra.training.signals import Signals
from lra.training.weights import Filters, filter_weights


@dataclass(frozen=True)
class Outcome:
    """best_step: of the weights that were kept and tested. seconds: of training, with its
    validations. initial_filters, learned_filters: the weights of filters."""

    best_step: int
    seconds: float
    weights: dict[str, Tensor]
    val: Evaluation
    test: Evaluation
    initial_filters: Filters
    learned_filters: Filters


def train(
    config: RunConfig,
    store: Store,
    folder: Path,
    report: Callable[[Report], None],
    launch: Launch = ONE_DEVICE,
) -> Outcome:
    """Trains from the newest whole checkpoint in `folder`, or from the start.

    `folder` gets checkpoints and `metrics.csv`. Raises NotFinite for a loss that is no longer
    finite, and Stopped, with a checkpoint to go on from, where a signal asked for an end.
    """
    settings = config.protocol.training
    model = build_model(config.attention, config.protocol, config.task, config.seed)
    initial = filter_weights(model.blocks)
    module = Classifier(model, settings, config.seed, config.micro_batch)
    curve = Curve()
    checkpoints = Checkpoints(folder, config.identity, settings.select, curve)
    newest = newest_checkpoint(folder, config.identity)
    start = newest[1]["global_step"] if newest else 0
    trainer = new_trainer(
        config,
        launch,
        max_steps=settings.steps,
        val_check_interval=min(settings.eval_every, settings.steps),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=min(10, settings.steps),
        logger=[curve, *tensorboard(folder, launch)],
        plugins=[SealedFiles()],
        callbacks=[Progress(settings.steps, report), checkpoints],
    )
    share = {"rank": trainer.global_rank, "ranks": trainer.world_size}
    examples = store.splits["train"]
    stream = Stream(
        len(examples),
        settings.batch,
        settings.steps,
        config.seed,
        start=start,
        bucket=settings.bucket,
        lengths=examples.lengths.max(1) if settings.bucket else None,
        **share,
    )
    batches = training_batches(examples, stream, padding(config))
    held_out = {split: evaluation(store, split, config, trainer) for split in ("val", "test")}
    with interrupts.deferred():
        if start < settings.steps:
            trainer.fit(module, batches, held_out["val"], ckpt_path=newest and newest[0])
            seconds = checkpoints.seconds
        else:  # all that was left is to evaluate
            checkpoints.load_state_dict(newest[1]["callbacks"]["Checkpoints"])
            seconds = newest[1]["callbacks"]["Checkpoints"]["seconds"]
        if trainer.is_global_zero:
            curve.write(folder / METRICS)
        model.load_state_dict(checkpoints.best.weights)
        trainer.test(module, held_out["test"], verbose=False)
    return Outcome(
        best_step=checkpoints.best.step,
        seconds=seconds,
        weights=checkpoints.best.weights,
        val=checkpoints.best.val,
        test=module.evaluation,
        initial_filters=initial,
        learned_filters=filter_weights(model.blocks),
    )


def new_trainer(
    config: RunConfig,
    launch: Launch,
    callbacks: Sequence[pl.Callback] = (),
    **options: object,
) -> pl.Trainer:
    """A Trainer that prints nothing of its own and leaves signals and data to us."""
    quiet_lightning()
    fix_threads()
    require_precision(config.precision, config.accelerator)
    if config.protocol.training.batch % launch.devices:
        raise UsageError(
            f"training.batch={config.protocol.training.batch} cannot be shared equally among "
            f"--devices {launch.devices}"
        )
    if launch.devices > 1 and config.micro_batch:
        raise UsageError("--micro-batch is for one device: several share the batch already")
    if any(word in launch.strategy for word in ("spawn", "fork", "notebook")):
        raise UsageError(
            f"--strategy {launch.strategy} does not run each device's process as a command of its "
            "own; use ddp"
        )
    try:
        return pl.Trainer(
            accelerator=config.accelerator,
            devices=launch.devices,
            strategy=launch.strategy,
            precision=config.precision,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            callbacks=[Signals(), *callbacks],
            **options,
        )
    except (ValueError, RuntimeError, pl.utilities.exceptions.MisconfigurationException) as error:
        raise UsageError(
            f"--devices {launch.devices} --strategy {launch.strategy}: Lightning says {error}"
        ) from error


def require_launch(config: RunConfig, launch: Launch) -> None:
    """Raises UsageError where Lightning could not train in this way."""
    new_trainer(config, launch, logger=tensorboard(Path("."), launch))


def padding(config: RunConfig) -> Padding:
    """How the batches of a run's task are filled up."""
    task = config.protocol.task
    return Padding(task.max_len, get_task(config.task).metadata.padding or 0, task.masked)


def evaluation(store: Store, split: str, config: RunConfig, trainer: pl.Trainer) -> DataLoader:
    """This rank's batches of a split, under the protocol."""
    settings, examples = config.protocol.training, len(store.splits[split])
    if examples < (settings.batch if settings.drop_last else trainer.world_size):
        raise UsageError(
            f"the {split} split has {examples} examples: too few for training.drop_last=true with "
            f"training.batch={settings.batch}, or for {trainer.world_size} devices"
        )
    return evaluation_batches(
        store.splits[split],
        settings.batch,
        padding(config),
        micro=config.micro_batch,
        drop_last=settings.drop_last,
        rank=trainer.global_rank,
        ranks=trainer.world_size,
    )


def tensorboard(folder: Path, launch: Launch) -> list[Logger]:
    """A logger beside the run's files, where it was asked for."""
    if not launch.tensorboard:
        return []
    try:
        return [TensorBoardLogger(folder.parent, name=TENSORBOARD, version="")]
    except ModuleNotFoundError as error:
        raise UsageError(
            "--tensorboard needs the package: pip install 'lra-gfsa[tensorboard]'"
        ) from error


def quiet_lightning() -> None:
    """Leaves what a user should read: Lightning's hints on loaders and hardware are not that."""
    os.environ.setdefault("GLOO_LOG_LEVEL", "ERROR")
    for name in ("pytorch_lightning", "lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*available but not used.*",
        ".*lr_scheduler.step.*before.*optimizer.step.*",
        ".*exists and is not empty.*",
        ".*your dataloader is not resumable.*",
        ".*dataloader is.*not resumable.*",
        ".*LeafSpec.*",
        ".*sync_dist.*",
    ):
        warnings.filterwarnings("ignore", message)
