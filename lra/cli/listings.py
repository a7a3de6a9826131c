"""What there is: tasks, attentions, filters, protocols."""

import argparse
from collections.abc import Iterable, Iterator

import torch
from tabulate import tabulate

import attention_zoo
from attention_zoo.errors import unknown
from attention_zoo.options import Option, describe, spell
from attention_zoo.registry import ATTENTIONS, FILTERS
from lra.cli.common import import_plugins
from lra.measure.variant import softmax_parameters
from lra.protocols import PROTOCOLS, get_protocol
from lra.run_config import choose_accelerator
from lra.tasks import TASKS, get_task


def list_all(options: argparse.Namespace) -> int:
    import_plugins(options.plugin)
    listings = {"tasks": list_tasks, "attentions": list_attentions, "filters": list_filters}
    for what in options.what or (*listings, "protocols"):
        if what == "protocols":
            for task in options.task or TASKS:
                get_task(task)
                show(f"protocols for {task}", list_protocols(task))
                print("\n".join(deviations(task)), end="\n\n")
        elif what in listings:
            show(what, listings[what]())
        else:
            raise unknown("listing", what, (*listings, "protocols"))
    return 0


def show(title: str, rows: Iterable[dict[str, object]]) -> None:
    print(f"{title}\n")
    table = tabulate(list(rows), headers="keys", tablefmt="github", disable_numparse=True)
    print(table, end="\n\n")


def list_tasks() -> Iterator[dict[str, object]]:
    for task in TASKS.values():
        about = task.metadata
        yield {
            "task": about.name,
            "version": about.version,
            "kind": about.modality,
            "length": f"{about.length:,}" + (" each of two" if about.sequences == 2 else ""),
            "classes": about.classes,
            "chance": f"{about.chance:.0%}",
            "train / val / test": " / ".join(f"{size:,}" for size in about.splits.values()),
            "source": about.source,
            "official files": about.layout,
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


def list_protocols(task: str) -> Iterator[dict[str, object]]:
    """A row for each setting, by the name that --set knows, and a column for each protocol; then
    the sizes of the models that the rule of 10 % is about."""
    protocols = {name: get_protocol(name, task) for name in PROTOCOLS}
    for section in ("task", "model", "training"):
        settings = {name: vars(getattr(protocols[name], section)) for name in PROTOCOLS}
        for key in next(iter(settings.values())):
            values = {name: spell(values[key]) for name, values in settings.items()}
            yield {"setting": f"{section}.{key}"} | values
    sizes = {name: softmax_parameters(protocols[name], task) for name in PROTOCOLS}
    yield {"setting": "parameters, softmax"} | {name: f"{size:,}" for name, size in sizes.items()}
    allowed = {name: f"{size * 11 // 10:,}" for name, size in sizes.items()}
    yield {"setting": "parameters, at most (LRA's rule: 10 % more)"} | allowed


def deviations(task: str) -> Iterator[str]:
    """What each protocol is from and may be compared with; then where it leaves its source, a
    line each, with the options that bring the source's way back and mark the record."""
    for protocol in (get_protocol(name, task) for name in PROTOCOLS):
        yield f"{protocol.name}, from {protocol.source}: {protocol.comparable}"
        for deviation in protocol.deviations:
            restore = f"  [{deviation.restore}]" if deviation.restore else ""
            yield f"- {deviation.text}{restore}"


def spell_options(options: dict[str, Option]) -> str:
    return ", ".join(
        f"{name}={spell(option.default)} ({describe(option.annotation)})"
        for name, option in options.items()
    )
