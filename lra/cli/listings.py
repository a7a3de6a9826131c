"""What there is: tasks, attentions, filters, protocols."""

import argparse
from collections.abc import Iterator

import torch
from tabulate import tabulate

import attention_zoo
from attention_zoo.errors import unknown
from attention_zoo.options import Option, describe, spell
from attention_zoo.registry import ATTENTIONS, FILTERS
from lra.cli.commands import import_plugins
from lra.protocols import PROTOCOLS
from lra.run_config import choose_accelerator
from lra.tasks import TASKS


def list_all(options: argparse.Namespace) -> int:
    import_plugins(options.plugin)
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
            "kind": about.modality,
            "length": f"{about.length:,}",
            "classes": about.classes,
            "chance": f"{about.chance:.0%}",
            "train / val / test": " / ".join(f"{size:,}" for size in about.splits.values()),
            "source": about.source,
            "licence": about.licence,
            "paper": about.citation,
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
