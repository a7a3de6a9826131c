"""The commands that run things: a grid of runs, an evaluation."""

import argparse
from pathlib import Path

import torch
from tabulate import tabulate

from attention_zoo import UsageError
from lra.cli.common import import_plugins, memory_of_one, say
from lra.data.prepare import find_source, prepare
from lra.evaluate import evaluate, find_finished
from lra.failures import RunFailure
from lra.grid.jobs import Run
from lra.grid.overview import Overview
from lra.grid.plan import plan, titles
from lra.grid.pool import Limits, Pool
from lra.grid.worker import Job
from lra.journal import UNFINISHED
from lra.results.record import FAILURE, read_record, read_run
from lra.results.tables import render, tables_of
from lra.run import Place, recorded
from lra.run_config import RunConfig
from lra.system import interrupts
from lra.tasks import get_task
from lra.training.checkpoints import newest_checkpoint
from lra.training.fit import Launch, new_trainer, tensorboard


def run_variants(options: argparse.Namespace) -> int:
    with interrupts.obeyed("the same command goes on with what is unfinished"):
        configs = configurations(options, options.task, options.seed)
        place = Place(options.results, options.data_dir)
        launch = Launch(options.devices, options.strategy, options.tensorboard)
        for config in {config.protocol.training.batch: config for config in configs}.values():
            new_trainer(config, launch, logger=tensorboard(Path("."), launch))
        if options.dry_run:
            print_states(configs, place, options.rerun)
            return 0
        jobs = min(len(configs), options.jobs or default_jobs(configs[0], options.devices))
        for config in {config.data: config for config in configs}.values():
            prepare(find_source(get_task(config.task), config.protocol.task, place.data_dir), say)
        memory = memory_of_one(configs[0].accelerator, jobs, options.devices, options.memory_limit)
        runs = [
            Run(Job(config, place, launch, rerun=options.rerun, memory=memory), title)
            for config, title in zip(configs, titles(configs), strict=True)
        ]
        Pool(runs, Limits(jobs, options.time_limit, options.devices), Overview(runs, jobs)).run()
    return report(runs, place)


def report(runs: list[Run], place: Place) -> int:
    """The tables of what is on record, then what failed and why."""
    records = []
    for record in (record for run in runs for record in read_run(run.job.directory)):
        if isinstance(record, UsageError):
            say(f"skipped: {record}")
        else:
            records.append(record)
    if records:
        print(render(tables_of(records), "github"), end="")
        say(f"records are in {place.results / 'runs'}, data in {place.data_dir / 'prepared'}")
    failed = [run for run in runs if run.state not in ("done", "on record")]
    for run in failed if len(runs) > 1 else ():
        say(f"{run.title}: {run.state}, {run.reason or 'no reason given'}")
    if failed:
        raise RunFailure(
            f"{len(failed)} of {len(runs)} runs failed; the same command runs them again, from "
            "their checkpoints where they have some"
        )
    return 0


def configurations(
    options: argparse.Namespace, tasks: list[str], seeds: list[int]
) -> list[RunConfig]:
    import_plugins(options.plugin)
    return plan(
        tasks=tasks,
        attentions=options.attn,
        seeds=seeds,
        protocol=options.protocol,
        settings=options.set,
        data_dir=options.data_dir,
        precision=options.precision,
        accelerator=options.accelerator,
        plugins=options.plugin,
        say=say,
        source=options.source,
        micro_batch=options.micro_batch,
    )


def default_jobs(config: RunConfig, devices: int) -> int:
    """One for every GPU, or group of GPUs, that a run takes; one on the CPU."""
    if config.accelerator == "cuda":
        return max(1, torch.cuda.device_count() // devices)
    return 1


def print_states(configs: list[RunConfig], place: Place, rerun: bool) -> None:
    rows = [
        {
            "run": title,
            "state": state_of(config, place, rerun),
            "folder": config.directory(place.results).name,
        }
        for config, title in zip(configs, titles(configs), strict=True)
    ]
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))


def state_of(config: RunConfig, place: Place, rerun: bool) -> str:
    """What the command would do with a run, from what lies in its folder."""
    directory = config.directory(place.results)
    try:
        if not rerun and recorded(config, place.results):
            return "on record"
        newest = newest_checkpoint(directory / UNFINISHED, config.identity)
        if newest:
            return f"goes on from step {newest[1]['global_step']:,}"
        if (directory / FAILURE).exists():
            return f"again, after: {read_record(directory / FAILURE).kind}"
    except UsageError as error:
        return f"damaged: {error}"
    return "to run"


def evaluate_run(options: argparse.Namespace) -> int:
    import_plugins(options.plugin)
    folder = find_finished(options.run, options.results)
    with interrupts.obeyed():
        record, now = evaluate(
            folder,
            options.data_dir,
            options.split,
            accelerator=options.accelerator,
            plugins=tuple(options.plugin),
        )
    print(
        f"{record.task} {record.attention} seed {record.seed}, {options.split}: accuracy "
        f"{100 * now.accuracy:.2f} % (standard error {100 * now.standard_error:.2f}), "
        f"loss {now.loss:.4f}, {now.count:,} examples"
    )
    if options.split == "train":
        return 0
    then = getattr(record, options.split)
    if (then.accuracy, then.count) != (now.accuracy, now.count):
        raise RunFailure(
            f"the record says {100 * then.accuracy:.2f} % of {then.count:,}, on "
            f"{record.environment.device} with torch {record.environment.versions['torch']}"
        )
    print("the same as on record")
    return 0
