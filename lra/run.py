"""One run, from data to record."""

import datetime
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from attention_zoo import UsageError
from lra.data.prepare import prepare
from lra.data.store import Store
from lra.environment import environment
from lra.measure.process import measure_apart
from lra.measure.variant import Measurement
from lra.results.record import (
    RECORD,
    SCHEMA,
    Data,
    FilterWeights,
    Record,
    Training,
    read_record,
    write_record,
)
from lra.run_config import RunConfig, require_support
from lra.tasks import get_task
from lra.training.fit import train
from lra.training.progress import duration


def run(config: RunConfig, results: Path, data_dir: Path, *, rerun: bool = False) -> Record:
    """Measures, trains and tests a variant; writes and returns its record.

    A run on record is returned as it is, unless `rerun`.
    """
    directory = config.directory(results)
    title = f"{config.task} {config.attention} seed {config.seed}"
    if (directory / RECORD).exists() and not rerun:
        say(f"{title}: on record in {directory} (--rerun runs it again)")
        try:
            return read_record(directory / RECORD)
        except UsageError as error:
            raise UsageError(f"{error}; --rerun makes it anew") from error
    require_support(config)
    where = environment(torch.device(config.accelerator))  # as it is now, not when it ends
    store = prepare(get_task(config.task), config.protocol.task, data_dir)
    directory.mkdir(parents=True, exist_ok=True)
    say(f"{title}: measuring time and memory in a process of its own")
    measurement = measure_apart(config)
    if config.accelerator == "cpu":
        say(f"{title}: training takes about {estimate(config, measurement, store)} on this CPU")
    (directory / RECORD).unlink(missing_ok=True)  # it does not describe what is trained now
    with memory_errors(title):
        outcome = train(
            config.attention,
            config.task,
            config.protocol,
            store,
            directory,
            seed=config.seed,
            precision=config.precision,
            accelerator=config.accelerator,
        )
    record = Record(
        schema=SCHEMA,
        identity=config.identity,
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command(config),
        task=config.task,
        attention=str(config.attention),
        seed=config.seed,
        precision=config.precision,
        accelerator=config.accelerator,
        modified=config.modified,
        protocol=config.protocol,
        data=Data(store.recipe["source"], store.fingerprint, store.baselines),
        val=outcome.val,
        test=outcome.test,
        training=Training(outcome.seconds, outcome.best_step),
        gfsa=FilterWeights(outcome.initial_weights, outcome.learned_weights),
        measurement=measurement,
        environment=where,
    )
    write_record(directory, record)
    say(f"{title}: test accuracy {100 * outcome.test.accuracy:.1f} %, {directory / RECORD}")
    return record


@contextmanager
def memory_errors(title: str) -> Iterator[None]:
    """Turns torch's ways of saying that memory ran out into one line."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = (MemoryError, torch.OutOfMemoryError)
        if not isinstance(error, known) and "can't allocate memory" not in str(error):
            raise
        raise UsageError(
            f"{title}: out of memory; a smaller --set training.batch, or an attention whose memory "
            f"grows with N ({str(error).splitlines()[0]:.120})"
        ) from error


def estimate(config: RunConfig, measurement: Measurement, store: Store) -> str:
    """How long training takes: its steps, its validations, the last validation and the test."""
    training = config.protocol.training
    validations = max(1, training.steps // training.eval_every)
    batches = {name: -(-len(split) // training.batch) for name, split in store.splits.items()}
    passes = (validations + 1) * batches["val"] + batches["test"]
    milliseconds = (
        training.steps * measurement.training_step.median_ms
        + passes * measurement.forward.median_ms
    )
    return (
        f"{duration(milliseconds / 1e3)} ({training.steps:,} steps of "
        f"{measurement.training_step.median_ms:,.0f} ms, {validations} validations)"
    )


def command(config: RunConfig) -> str:
    """What repeats a run, whatever else was asked for beside it."""
    words = ["python", "run_lra.py", "--task", config.task, "--attn", str(config.attention)]
    words += ["--protocol", config.protocol.name, "--seed", str(config.seed)]
    words += ["--precision", config.precision, "--accelerator", config.accelerator]
    for key, value in config.modified.items():
        words += ["--set", f"{key}={value}"]
    for plugin in config.plugins:
        words += ["--plugin", plugin]
    return shlex.join(words)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
