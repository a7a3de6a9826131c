"""One run, from data to record; killed at any moment, it goes on from where it was."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lra.config import ONE_DEVICE, Launch, Place, RunConfig, require_support
from lra.data.store import Store
from lra.measure.runs import measure_in_turns
from lra.results.layout import CHECKPOINT, RECORD, UNFINISHED
from lra.results.record import (
    Data,
    FilterWeights,
    Part,
    Record,
    Training,
    learned,
    write_record,
)
from lra.run.course import Course, Estimate
from lra.run.data import open_data
from lra.run.describe import described, now
from lra.run.folder import clean, recorded, seal
from lra.run.journal import Journal, Measured, read_journal, write_journal
from lra.system.environment import Environment, environment
from lra.system.files import sha256_of, whole
from lra.system.locks import LOCK, locked
from lra.training.checkpoints import newest_checkpoint
from lra.training.fit import Outcome, train
from lra.training.report import Report

ALONE = nullcontext()


@dataclass(frozen=True)
class Teller:
    """How a run speaks to whoever waits for it. measured: is told what was found, by attention."""

    say: Callable[[str], None]
    report: Callable[[Report], None]
    measured: Callable[[dict[str, Measured]], None] = lambda measured: None


def run(
    config: RunConfig,
    place: Place,
    teller: Teller,
    *,
    launch: Launch = ONE_DEVICE,
    rerun: bool = False,
    measure: bool = True,
    only_measure: bool = False,
    measured: Measured | None = None,
    beside: Sequence[str] = (),
    memory: int | None = None,
    verify: bool = True,
    together: AbstractContextManager[None] = ALONE,
) -> Record | None:
    """Measures, trains and tests a variant; writes and returns its record.

    A run on record is returned as it is, unless `rerun`, which leaves the old record until the
    new one takes its place. measure: whether time and memory are measured before training.
    only_measure: stops before training. measured: what the same variant took under another seed,
    which stands for this one where it was measured here. beside: attentions of other runs that are
    measured in turns with it, since they differ in their filters alone. memory: bytes that
    measuring may take. verify: whether prepared data are verified. together: entered while it
    trains. Raises RunFailure.
    """
    directory = config.directory(place.results)
    with locked(directory / LOCK, teller.say):
        clean(directory)
        old = recorded(config, place.results)
        if old and not rerun:
            return old
        unfinished = directory / UNFINISHED
        require_support(config)
        store = open_data(config, place.data_dir, teller.say, verify=verify)
        here = environment(torch.device(config.accelerator))
        journal = begin(config, unfinished, here)
        course = Course.of(config, store)
        if journal.measurement:
            known = Measured(journal.environment, journal.measurement)
            teller.measured({str(config.attention): known})
        elif measure:
            if measured is None or not measured.holds(here):
                words = f", in turns with {', '.join(beside)}" if beside else ""
                teller.say(f"measuring time and memory{words}")
                found = measure_in_turns(config, beside, course.least, memory)
                teller.measured({name: Measured(here, one) for name, one in found.items()})
                measured = Measured(here, found[str(config.attention)])
            journal = replace(
                journal, environment=measured.environment, measurement=measured.measurement
            )
            write_journal(unfinished, journal)
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
        report = teller.report
        if start:
            teller.say(f"goes on from step {start:,}")
        elif journal.measurement and config.accelerator == "cpu":
            report = Estimate(course, journal.measurement, teller.say, teller.report)
        with together:
            outcome = train(config, store, unfinished, report, launch)
        record = finish(config, directory, store, journal, outcome)
        test = record.test
        accuracy = f"{100 * test.accuracy:.1f} % (standard error {100 * test.standard_error:.1f})"
        verdict = "" if learned(record) else ", did not learn: no better than a constant answer"
        teller.say(f"test accuracy {accuracy}{verdict}, {directory / RECORD}")
        return record


def begin(config: RunConfig, unfinished: Path, here: Environment) -> Journal:
    """The run's journal; what was measured elsewhere, or before this machine changed, is not
    kept."""
    journal = read_journal(unfinished)
    if journal is None:
        return Journal(now(), here, None, [])
    if replace(journal.environment, commit=None) == replace(here, commit=None):
        return journal
    return replace(journal, environment=here, measurement=None)


def finish(
    config: RunConfig, directory: Path, store: Store, journal: Journal, outcome: Outcome
) -> Record:
    """Writes checkpoint, curve and record beside older ones, which one rename then replaces."""
    unfinished = directory / UNFINISHED
    with whole(unfinished / CHECKPOINT) as file:
        content = {"step": outcome.best_step, "state_dict": outcome.weights}
        torch.save(
            content | {"attention": str(config.attention), "identity": config.identity}, file
        )
    record = Record(
        **described(config),
        data=Data(
            store.recipe["source"], store.fingerprint, store.baselines, config.train_fraction
        ),
        val=outcome.val,
        test=outcome.test,
        training=Training(
            outcome.seconds,
            outcome.best_step,
            sha256_of(unfinished / CHECKPOINT),
            journal.started,
            journal.parts,
        ),
        filters=FilterWeights(outcome.initial_filters, outcome.learned_filters),
        measurement=journal.measurement,
        environment=journal.environment,
    )
    write_record(unfinished, record)
    seal(directory)
    return record
