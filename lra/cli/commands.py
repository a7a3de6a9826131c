"""What each command does."""

import argparse
import os
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from tabulate import tabulate

import attention_zoo
from attention_zoo import UsageError, parse_spec
from attention_zoo.errors import unknown
from attention_zoo.options import describe, spell
from attention_zoo.registry import ATTENTIONS, FILTERS, Option, load_plugin
from lra.data.prepare import prepare
from lra.environment import environment
from lra.measure.process import measure_apart
from lra.protocols import PROTOCOLS, Protocol, get_protocol, override
from lra.results.record import Record, read_records
from lra.results.tables import cost_columns, presented, render
from lra.run import run, say
from lra.run_config import RunConfig, choose_accelerator, require_support
from lra.tasks import TASKS, get_task
from lra.training.fit import build_model


def run_variants(options: argparse.Namespace) -> int:
    configs = [config for seed in options.seed for config in configurations(options, seed)]
    records = [
        run(config, options.results, options.data_dir, rerun=options.rerun) for config in configs
    ]
    print(render(records, "github"), end="")
    return 0


def configurations(options: argparse.Namespace, seed: int) -> Iterator[RunConfig]:
    """A checked RunConfig for each attention asked for; nothing runs before all are right."""
    load_plugins(options.plugin)
    protocol, modified = read_protocol(options)
    accelerator = choose_accelerator(options.accelerator)
    configs = [
        RunConfig(
            task=options.task,
            attention=parse_spec(text),
            protocol=protocol,
            modified=modified,
            seed=seed,
            precision=options.precision,
            accelerator=accelerator,
            plugins=tuple(options.plugin),
        )
        for text in options.attn
    ]
    for config in configs:
        require_support(config)
        build_model(config.attention, protocol, config.task, seed)
    return iter(configs)


def read_protocol(options: argparse.Namespace) -> tuple[Protocol, dict]:
    protocol, modified = override(get_protocol(options.protocol, options.task), options.set)
    if "training.warmup" in modified and not any("warmup" in text for text in options.set):
        say(f"training.warmup is scaled with training.steps, to {modified['training.warmup']}")
    return protocol, modified


def load_plugins(modules: list[str]) -> None:
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        load_plugin(module)


def prepare_data(options: argparse.Namespace) -> int:
    protocol, _ = read_protocol(options)
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
    rows = []
    for config in configurations(options, seed=0):
        measurement = measure_apart(config)
        kernels = ", ".join(measurement.kernels)
        rows.append(
            {"attention": str(config.attention), **cost_columns(measurement), "kernel": kernels}
        )
    print(presented(pd.DataFrame(rows)))
    where = environment(torch.device(config.accelerator))
    print(
        f"\n{options.task}, protocol {options.protocol}: batch {measurement.batch}, N = "
        f"{measurement.length:,}, {options.precision}; {where.device}, "
        f"{where.threads} threads, torch {where.versions['torch']}"
    )
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


def list_all(options: argparse.Namespace) -> int:
    load_plugins(options.plugin)
    listings = {
        "tasks": list_tasks,
        "attentions": list_attentions,
        "filters": list_filters,
        "protocols": list_protocols,
    }
    for what in options.what or listings:
        if what not in listings:
            raise unknown("listing", what, listings)
        print(f"{what}\n")
        print(tabulate(list(listings[what]()), headers="keys", tablefmt="github"), end="\n\n")
        if what == "protocols":
            print("\n".join(deviations()), end="\n\n")
    return 0


def list_tasks() -> Iterator[dict[str, object]]:
    for task in TASKS.values():
        about = task.metadata
        yield {
            "task": about.name,
            "version": about.version,
            "length": f"{about.length:,}",
            "classes": about.classes,
            "train / val / test": " / ".join(f"{size:,}" for size in about.splits.values()),
            "source": about.source,
        }


def list_attentions() -> Iterator[dict[str, object]]:
    accelerator = choose_accelerator("auto")
    for name in attention_zoo.names():
        entry = ATTENTIONS.get(name)
        support = entry.cls.support
        reasons = entry.cls.unsupported(accelerator, torch.float32, 32)
        yield {
            "attention": name,
            "time": support.time,
            "memory": support.memory,
            "rows sum to 1": "yes" if support.rows_sum_to_one else "no: powers have no fixed scale",
            "options": spell_options(entry.options),
            "paper": support.paper,
            f"here ({accelerator})": "; ".join(reasons) or "runs",
        }


def list_filters() -> Iterator[dict[str, object]]:
    for name in attention_zoo.filters():
        yield {"filter": f"+{name}", "options": spell_options(FILTERS.get(name).options)}


def list_protocols() -> Iterator[dict[str, object]]:
    for protocol in PROTOCOLS.values():
        model, training = protocol.model, protocol.training
        yield {
            "protocol": protocol.name,
            "model": f"{model.layers} layers, {model.dim} wide, {model.heads} heads, "
            f"FFN {model.ffn}",
            "training": f"{training.steps:,} steps of {training.batch}, peak rate "
            f"{training.learning_rate:g}, warm-up {training.warmup:,}",
            "tokens": f"{protocol.task.min_length + 1}–{protocol.task.max_length - 1:,}",
            "comparable": protocol.comparable,
        }


def deviations() -> Iterator[str]:
    """Where each protocol leaves its source, a line each."""
    for protocol in PROTOCOLS.values():
        if protocol.deviations:
            yield f"{protocol.name} ({protocol.source}), in which we differ:"
            yield from (f"- {deviation}" for deviation in protocol.deviations)


def spell_options(options: dict[str, Option]) -> str:
    return ", ".join(
        f"{name}={spell(option.default)} ({describe(option.annotation)})"
        for name, option in options.items()
    )
