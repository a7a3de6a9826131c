"""A planned grid, run."""

import argparse
from collections.abc import Iterator

import torch

from attention_zoo import UsageError
from lra.cli.common import memory_of_one, say, table_of
from lra.config import ONE_DEVICE, Launch, Place, RunConfig
from lra.data.prepare import find_source, prepare
from lra.failures import RunFailure
from lra.grid.jobs import Run
from lra.grid.overview import Overview
from lra.grid.plan import titles
from lra.grid.pool import Limits, Pool
from lra.results.layout import FAILURE, UNFINISHED
from lra.results.reading import read_run
from lra.results.record import read_record
from lra.results.tables import render, tables_of
from lra.run.data import require_batch
from lra.run.folder import recorded
from lra.run.job import Job
from lra.tasks import get_task


def run_grid(configs: list[RunConfig], options: argparse.Namespace) -> int:
    place = Place(options.results, options.data_dir)
    launch = Launch(options.devices, options.strategy, options.tensorboard)
    if launch != ONE_DEVICE:
        from lra.training.fit import require_launch  # here: Lightning takes seconds to import

        for config in {config.protocol.training.batch: config for config in configs}.values():
            require_launch(config, launch)
    sources = {
        data: find_source(get_task(config.task), config.protocol.task, place.data_dir)
        for data, config in {config.data: config for config in configs}.items()
    }
    for source in sources.values():
        say(source.words)
    if options.dry_run:
        print(table_of(states(configs, place, options.rerun)))
        return 0
    jobs = min(len(configs), options.jobs or default_jobs(configs[0], options.devices))
    stores = {data: prepare(source, say) for data, source in sources.items()}
    for config in configs:
        require_batch(config, stores[config.data])
    memory = memory_of_one(configs[0].accelerator, jobs, options.devices, options.memory_limit)
    measure, rerun = not options.no_measure, options.rerun
    runs = [
        Run(Job(config, place, launch, rerun, measure, verify=False, memory=memory), title)
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


def default_jobs(config: RunConfig, devices: int) -> int:
    """One for every GPU, or group of GPUs, that a run takes; one on the CPU."""
    if config.accelerator == "cuda":
        return max(1, torch.cuda.device_count() // devices)
    return 1


def states(configs: list[RunConfig], place: Place, rerun: bool) -> Iterator[dict[str, object]]:
    for config, title in zip(configs, titles(configs), strict=True):
        state, folder = state_of(config, place, rerun), config.directory(place.results).name
        yield {"run": title, "state": state, "folder": folder}


def state_of(config: RunConfig, place: Place, rerun: bool) -> str:
    """What the command would do with a run, from what lies in its folder."""
    directory = config.directory(place.results)
    from lra.training.checkpoints import newest_checkpoint  # here: Lightning takes seconds

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
