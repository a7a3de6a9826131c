"""What each command does."""

import argparse
import os
import sys

import numpy as np
import pandas as pd
import torch
from tabulate import tabulate

from attention_zoo import UsageError, parse_spec
from attention_zoo.errors import one_line
from attention_zoo.registry import load_plugin
from lra.data.prepare import prepare
from lra.environment import environment
from lra.measure.process import measure_apart
from lra.protocols import get_protocol, override
from lra.results.record import Record, read_records
from lra.results.tables import cost_columns, heading, presented, render
from lra.run import run, say
from lra.run_config import RunConfig, choose_accelerator, require_support
from lra.tasks import get_task
from lra.training.fit import build_model


def run_variants(options: argparse.Namespace) -> int:
    records, failures = [], []
    for config in configurations(options):
        try:
            records.append(run(config, options.results, options.data_dir, rerun=options.rerun))
        except UsageError as error:
            failures.append(str(error))
            say(f"failed: {error}")
    if records:
        print(render(records, "github"), end="")
        say(f"records are in {options.results / 'runs'}, data in {options.data_dir / 'prepared'}")
    if failures:
        raise UsageError("; ".join(failures))
    return 0


def configurations(options: argparse.Namespace) -> list[RunConfig]:
    """A checked RunConfig for each seed and attention asked for; nothing runs before all are."""
    import_plugins(options.plugin)
    protocol, modified = override(get_protocol(options.protocol, options.task), options.set)
    accelerator = choose_accelerator(options.accelerator)
    specs = dict.fromkeys(parse_spec(text) for text in options.attn)
    configs = [
        RunConfig(
            task=options.task,
            attention=spec,
            protocol=protocol,
            modified=modified,
            seed=seed,
            precision=options.precision,
            accelerator=accelerator,
            plugins=tuple(options.plugin),
        )
        for seed in dict.fromkeys(options.seed)
        for spec in specs
    ]
    for config in configs[: len(specs)]:
        require_support(config)
        try:
            build_model(config.attention, protocol, config.task, config.seed)
        except (RuntimeError, OverflowError, MemoryError) as error:
            raise UsageError(f"{config.attention} cannot be built: {one_line(error)}") from error
    if "training.warmup" in modified and not any("warmup" in text for text in options.set):
        say(f"training.warmup is scaled with training.steps, to {modified['training.warmup']}")
    return configs


def import_plugins(modules: list[str]) -> None:
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        load_plugin(module)


def prepare_data(options: argparse.Namespace) -> int:
    protocol, _ = override(get_protocol(options.protocol, options.task), options.set)
    if options.workers is not None and options.workers < 1:
        raise UsageError(f"--workers must be 1 or more, not {options.workers}")
    store = prepare(get_task(options.task), protocol.task, options.data_dir, options.workers)
    rows = [
        {
            "split": name,
            "examples": f"{len(split):,}",
            "tokens": f"{split.lengths.min():,}–{split.lengths.max():,}",
            "mean": f"{split.lengths.mean():,.0f}",
            "labels %": " ".join(
                f"{100 * share:.1f}" for share in np.bincount(split.labels) / len(split)
            ),
        }
        for name, split in store.splits.items()
    ]
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))
    rules = ", ".join(f"{name} {100 * share:.1f} %" for name, share in store.baselines.items())
    print(f"\n{store.recipe['source']}, fingerprint {store.fingerprint}, verified; {rules}")
    print(store.path)
    return 0


def measure_variants(options: argparse.Namespace) -> int:
    rows, failures = [], []
    for config in configurations(options):
        say(f"measuring {config.attention}")
        try:
            measurement = measure_apart(config)
        except UsageError as error:
            failures.append(str(error))
            continue
        name, kernels = str(config.attention), ", ".join(measurement.kernels)
        rows.append({"attention": name, **cost_columns(measurement), "kernel": kernels})
    if rows:
        where = environment(torch.device(config.accelerator))
        protocol = config.protocol
        print(presented(pd.DataFrame(rows)))
        print(f"\n{heading(config.task, protocol, config.modified)}")
        print(
            f"Batch {protocol.training.batch}, N = {protocol.task.max_len:,}, {config.precision}; "
            f"{where.device}, {where.threads} threads, torch {where.versions['torch']}"
        )
    if failures:
        raise UsageError("; ".join(failures))
    return 0


def print_table(options: argparse.Namespace) -> int:
    records: list[Record] = []
    for record in read_records(options.results):
        if isinstance(record, UsageError):
            say(f"skipped: {record}")
        elif options.task is None or record.task in options.task:
            records.append(record)
    for task in options.task or ():
        get_task(task)
    if not records:
        raise UsageError(
            f"no runs on record under {options.results / 'runs'}; "
            "`python run_lra.py --task listops --attn linear` makes one"
        )
    text = render(records, options.format)
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text)
    return 0
