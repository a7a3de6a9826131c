"""One run, from data to record; killed at any moment, it goes on from where it was."""

import datetime
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from attention_zoo import UsageError
from attention_zoo.options import spell
from lra.data.prepare import find_source, prepare
from lra.data.store import Store
from lra.journal import UNFINISHED, Journal, read_journal, write_journal
from lra.measure.process import measure_apart
from lra.measure.variant import Measurement
from lra.protocols import get_protocol
from lra.results.record import (
    FAILURE,
    RECORD,
    SCHEMA,
    Data,
    Failure,
    FilterWeights,
    Part,
    Record,
    Training,
    learned,
    read_record,
    write_record,
)
from lra.run_config import RunConfig, require_support
from lra.system.environment import Environment, environment
from lra.system.files import sha256_of, sync_folder, whole
from lra.system.locks import LOCK, locked
from lra.tasks import get_task
from lra.training.checkpoints import newest_checkpoint
from lra.training.fit import ONE_DEVICE, Launch, Outcome, train
from lra.training.metrics import METRICS
from lra.training.progress import Report, duration

CHECKPOINT = "best.ckpt"


@dataclass(frozen=True)
class Place:
    """Where a run's data and results are."""

    results: Path
    data_dir: Path


@dataclass(frozen=True)
class Teller:
    """How a run speaks to whoever waits for it."""

    say: Callable[[str], None]
    report: Callable[[Report], None]


def run(
    config: RunConfig,
    place: Place,
    teller: Teller,
    *,
    launch: Launch = ONE_DEVICE,
    rerun: bool = False,
    only_measure: bool = False,
) -> Record | None:
    """Measures, trains and tests a variant; writes and returns its record.

    A run on record is returned as it is, unless `rerun`, which leaves the old record until the
    new one takes its place. only_measure: stops before training. Raises RunFailure.
    """
    directory = config.directory(place.results)
    with locked(directory / LOCK, teller.say):
        old = recorded(config, place.results)
        clean(directory, old)
        if old and not rerun:
            return old
        unfinished = directory / UNFINISHED
        require_support(config)
        store = open_data(config, place.data_dir, teller.say)
        here = environment(torch.device(config.accelerator))
        journal = begin(config, unfinished, here, teller.say)
        if only_measure:
            return None
        newest = newest_checkpoint(unfinished, config.identity)
        start = newest[1]["global_step"] if newest else 0
        del newest
        version = here.versions["torch"]
        journal.parts.append(
            Part(start, here.commit, here.device, launch.devices, here.threads, version)
        )
        write_journal(unfinished, journal)
        if start:
            teller.say(f"goes on from step {start:,}")
        elif config.accelerator == "cpu":
            time = estimate(config, journal.measurement, store)
            teller.say(f"training takes about {time} on this CPU")
        outcome = train(config, store, unfinished, teller.report, launch)
        record = finish(config, directory, store, journal, outcome)
        test = record.test
        accuracy = f"{100 * test.accuracy:.1f} % (standard error {100 * test.standard_error:.1f})"
        verdict = "" if learned(record) else ", did not learn: no better than a constant answer"
        teller.say(f"test accuracy {accuracy}{verdict}, {directory / RECORD}")
        return record


def recorded(config: RunConfig, results: Path) -> Record | None:
    """The run's record where there is one; UsageError where it is damaged."""
    path = config.directory(results) / RECORD
    if not path.exists():
        return None
    try:
        return read_record(path)
    except UsageError as error:
        newer = "made by a newer version" in str(error)
        advice = "update lra-gfsa" if newer else "remove it, and the run is made anew"
        raise UsageError(f"{error}; {advice}") from error


def clean(directory: Path, old: Record | None) -> None:
    """Removes what a killed process left behind that nobody will read; we hold the lock."""
    unfinished = directory / UNFINISHED
    journal = read_journal(unfinished)
    if old and (journal is None or journal.started == old.training.started):
        # Of the run on record: killed after its last word. Every checkpoint comes after a journal.
        shutil.rmtree(unfinished, ignore_errors=True)
    for folder in (directory, unfinished):
        for partial in folder.glob(".*.partial"):
            partial.unlink()


def open_data(config: RunConfig, data_dir: Path, say: Callable[[str], None]) -> Store:
    source = find_source(get_task(config.task), config.protocol.task, data_dir)
    if source.fingerprint != config.data:
        raise UsageError(f"the data in {data_dir} are not those that this run began with")
    return prepare(source, say)


def begin(
    config: RunConfig, unfinished: Path, here: Environment, say: Callable[[str], None]
) -> Journal:
    """The run's journal; with a measurement, which only this machine as it is now can give."""
    journal = read_journal(unfinished)
    if journal and replace(journal.environment, commit=None) == replace(here, commit=None):
        return journal
    say("measuring time and memory in a process of its own")
    measurement = measure_apart(config)
    if journal:
        journal = replace(journal, environment=here, measurement=measurement)
    else:
        journal = Journal(now(), here, measurement, [])
    write_journal(unfinished, journal)
    return journal


def finish(
    config: RunConfig, directory: Path, store: Store, journal: Journal, outcome: Outcome
) -> Record:
    """Writes checkpoint, curve and record aside, and only then puts them in the place of older
    ones, the record, which makes them count, last."""
    unfinished = directory / UNFINISHED
    with whole(unfinished / CHECKPOINT) as file:
        content = {"step": outcome.best_step, "state_dict": outcome.weights}
        torch.save(
            content | {"attention": str(config.attention), "identity": config.identity}, file
        )
    record = Record(
        **described(config),
        data=Data(store.recipe["source"], store.fingerprint, store.baselines),
        val=outcome.val,
        test=outcome.test,
        training=Training(
            outcome.seconds,
            outcome.best_step,
            sha256_of(unfinished / CHECKPOINT),
            journal.started,
            journal.parts,
        ),
        gfsa=FilterWeights(outcome.initial_gfsa, outcome.learned_gfsa),
        measurement=journal.measurement,
        environment=journal.environment,
    )
    write_record(unfinished, record)
    for name in (CHECKPOINT, METRICS, RECORD):
        os.replace(unfinished / name, directory / name)
    sync_folder(directory)
    (directory / FAILURE).unlink(missing_ok=True)
    shutil.rmtree(unfinished)
    return record


def fail(config: RunConfig, results: Path, kind: str, reason: str) -> None:
    """Puts on record that a run failed, and how; it can still be taken up again."""
    directory = config.directory(results)
    journal = read_journal(directory / UNFINISHED)
    failure = Failure(
        **described(config),
        data=Data(config.protocol.task.source, config.data, {}),
        kind=kind,
        reason=reason,
        environment=journal.environment
        if journal
        else environment(torch.device(config.accelerator)),
    )
    directory.mkdir(parents=True, exist_ok=True)
    write_record(directory, failure)


def described(config: RunConfig) -> dict[str, Any]:
    """What every record says of a run, however it ended."""
    return {
        "schema": SCHEMA,
        "identity": config.identity,
        "finished": now(),
        "command": command(config),
        "task": config.task,
        "attention": str(config.attention),
        "seed": config.seed,
        "precision": config.precision,
        "accelerator": config.accelerator,
        "micro_batch": config.micro_batch,
        "modified": config.modified,
        "protocol": config.protocol,
    }


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


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
    source = config.protocol.task.source
    if source != get_protocol(config.protocol.name, config.task).task.source:
        words += ["--source", source]  # whatever files are there when it is repeated
    if config.micro_batch is not None:
        words += ["--micro-batch", str(config.micro_batch)]
    for key, value in config.modified.items():
        words += ["--set", f"{key}={spell(value)}"]
    for plugin in config.plugins:
        words += ["--plugin", plugin]
    return shlex.join(words)
