"""What there is: tasks, attentions, filters, protocols."""

import argparse
from collections.abc import Iterator

import torch
from tabulate import tabulate

import attention_zoo
from attention_zoo.errors import unknown
from attention_zoo.options import Option, describe, spell
from attention_zoo.registry import ATTENTIONS, FILTERS
from lra.cli.common import import_plugins
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
        rows = list(listings[what]())
        print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True), end="\n\n")
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
    """A row for each setting, by the name that --set knows, and a column for each protocol."""
    for section in ("task", "model", "training"):
        settings = {name: vars(getattr(PROTOCOLS[name], section)) for name in PROTOCOLS}
        for key in next(iter(settings.values())):
            values = {name: spell(values[key]) for name, values in settings.items()}
            yield {"setting": f"{section}.{key}"} | values


def deviations() -> Iterator[str]:
    """What each protocol is from and may be compared with; then where it leaves its source, a
    line each, with the options that bring the source's way back and mark the record."""
    for protocol in PROTOCOLS.values():
        yield f"{protocol.name}, from {protocol.source}: {protocol.comparable}"
        for deviation in protocol.deviations:
            restore = f"  [{deviation.restore}]" if deviation.restore else ""
            yield f"- {deviation.text}{restore}"


def spell_options(options: dict[str, Option]) -> str:
    return ", ".join(
        f"{name}={spell(option.default)} ({describe(option.annotation)})"
        for name, option in options.items()
    )
