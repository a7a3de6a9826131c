"""What stands around a table or a figure: names, what it may be compared with, where its numbers
are from."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lra.measure.sheet import Sheet
from lra.protocols import Protocol
from lra.results.comparable import (
    Recorded,
    is_todays,
    restorations,
    settings_fingerprint,
    training_changes,
)
from lra.results.record import Failure, Part, Record
from lra.results.statistics import binomial_error
from lra.results.summary import Group
from lra.system.environment import Environment
from lra.system.files import fingerprint

# The tasks of LRA in the order of its table; others follow.
TITLES = {
    "listops": "ListOps",
    "text": "Text",
    "retrieval": "Retrieval",
    "image": "Image",
    "pathfinder": "Pathfinder",
    "pathx": "Path-X",
    "pathfinder64": "Pathfinder-64",
    "pathfinder256": "Pathfinder-256",
}


@dataclass(frozen=True)
class Caption:
    """name: of the figure's files, the same for what is comparable whatever else is on record.
    title: what was done under which conditions, a line. notes: what is drawn, sentences. footer:
    where the numbers are from. details: what may differ under one title. label: the title with
    those that do differ among its siblings (`labelled`)."""

    name: str
    title: str
    notes: tuple[str, ...]
    footer: str
    details: tuple[str, ...]
    label: str = ""


def labelled(charts: Sequence[Any]) -> list[Any]:
    """The charts, their captions with labels that tell them apart."""
    by_title: dict[str, list[Caption]] = {}
    for chart in charts:
        by_title.setdefault(chart.caption.title, []).append(chart.caption)
    return [replace(chart, caption=_told_apart(chart.caption, by_title)) for chart in charts]


def _told_apart(caption: Caption, by_title: Mapping[str, Sequence[Caption]]) -> Caption:
    alike = zip(*(twin.details for twin in by_title[caption.title]), strict=True)
    differ = [own for own, all_ in zip(caption.details, alike, strict=True) if len(set(all_)) > 1]
    return replace(caption, label="; ".join([caption.title, *differ]))


def file_name(kind: str, words: Iterable[str], key: object) -> str:
    """Readable words, and 8 digits of `key` by which they are told from others of these words."""
    safe = (re.sub(r"[\W_]+", "-", word.lower()).strip("-") for word in words)
    return "-".join([kind, *filter(None, safe), fingerprint(repr(key))[:8]])


def details_of(record: Recorded) -> tuple[str, ...]:
    """What neither `data_of` nor `conditions_of` says of it."""
    return (
        machine_line(record),
        f"data {record.data.fingerprint[:8]}",
        f"settings {settings_fingerprint(record.protocol)[:8]}",
    )


def title(task: str) -> str:
    return TITLES.get(task, task)


def place(task: str) -> tuple[int, str]:
    """In the order of LRA's table."""
    return (list(TITLES).index(task) if task in TITLES else len(TITLES)), task


def spelled(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(changes.items()))


def task_changes(record: Recorded) -> dict[str, Any]:
    return {key: value for key, value in record.modified.items() if key.startswith("task.")}


def protocol_of(protocol: Protocol, modified: Mapping[str, Any]) -> str:
    left = f", modified ({spelled(modified)})" if modified else ""
    return f"protocol {protocol.name}{left}"


def comparable_with(record: Recorded) -> str:
    """What its accuracy may be held against."""
    usual = record.protocol.comparable
    if record.data.source == "sample":
        return "not comparable with LRA: made-up data in the official format"
    if usual.startswith("not comparable"):
        return usual
    if not is_todays(record):
        return f"not comparable: protocol {record.protocol.name} as it was when this was run"
    nearer = restorations(record)
    left = sorted(key for key, value in record.modified.items() if (key, value) not in nearer)
    if left:
        return f"not comparable: left protocol {record.protocol.name} in {', '.join(left)}"
    return usual


def conditions_of(record: Recorded) -> str:
    """The protocol, what left it but for the task's settings, precision, device, micro-batch."""
    return f"{protocol_of(record.protocol, training_changes(record))}, {settings_line(record)}"


def data_of(record: Recorded) -> str:
    """The source of the data, with the task's settings that left the protocol."""
    changes = spelled(task_changes(record))
    return f"{record.data.source} data" + (f" ({changes})" if changes else "")


def heading(record: Recorded) -> str:
    """Task, data and protocol, where it was left, and what its results may be compared with."""
    data, left = record.data, protocol_of(record.protocol, record.modified)
    return (
        f"{title(record.task)}, {data.source} data {data.fingerprint}, {left}: "
        f"{comparable_with(record)}."
    )


def batch_of(protocol: Protocol, micro: int | None) -> str:
    """The batch, and the parts in which it went through the model."""
    return str(protocol.training.batch) + (f" in parts of {micro}" if micro else "")


def in_order(groups: Iterable[Group]) -> list[tuple[str, Group]]:
    """Groups of several tasks or data with what heads each, in the order of LRA's table.

    A task that has one is named alone; one that has several says of each what it is.
    """
    by_task: dict[str, list[Group]] = {}
    for group in groups:
        by_task.setdefault(group.task, []).append(group)
    return [
        pair
        for task in sorted(by_task, key=place)
        for pair in sorted(_labelled(task, by_task[task]), key=lambda pair: pair[0])
    ]


def _labelled(task: str, groups: Sequence[Group]) -> list[tuple[str, Group]]:
    if len(groups) == 1:
        return [(title(task), groups[0])]
    details = [_detail(group, ()) for group in groups]
    for more in ("data",), ("data", "settings"):
        if len(set(details)) < len(details):
            details = [_detail(group, more) for group in groups]
    return [
        (f"{title(task)} ({detail})", group) for detail, group in zip(details, groups, strict=True)
    ]


def _detail(group: Group, more: tuple[str, ...]) -> str:
    first = group.first
    prints = {"data": first.data.fingerprint, "settings": settings_fingerprint(first.protocol)}
    changed = spelled(task_changes(first))
    return ", ".join(
        [first.data.source, *([changed] if changed else []), *(prints[key][:8] for key in more)]
    )


def data_line(label: str, group: Group) -> str:
    """The data of a column, and how fine its test split can tell accuracies apart."""
    first = group.first
    changed = spelled(task_changes(first))
    what = f"{label}: {first.data.source} data {first.data.fingerprint}"
    what += f" ({changed})" if changed and changed not in label else ""
    if isinstance(first, Failure):
        return f"{what}; no run has ended with a result."
    count = first.test.count
    return f"{what}, {count:,} test examples (one run: s.e. ≤ {binomial_error(50, count):.1f})."


def comparable_lines(columns: Iterable[tuple[str, Group]]) -> list[str]:
    """What each column may be compared with, those alike in one sentence."""
    labels: dict[str, list[str]] = {}
    for label, group in columns:
        labels.setdefault(comparable_with(group.first), []).append(label)
    return [f"{', '.join(named)}: {what}." for what, named in labels.items()]


def machine_line(record: Recorded | Sheet) -> str:
    return f"{record.environment.machine}, float32 products {record.environment.matmul}"


def footer(
    records: Sequence[Recorded], command: str | None, *, trained: bool = False
) -> tuple[str, ...]:
    """The machines, versions, commits and seeds of these records; what prints a table.

    trained: of the processes that trained, which a resumed run has several of, and not of the
    measurement.
    """
    pythons = {record.environment.python for record in records}
    seeds = sorted({record.seed for record in records if isinstance(record, Record)})
    if trained:
        parts = [part for record in records for part in parts_of(record)]
        machines = {part.machine for part in parts}
        commits = {part.short_commit for part in parts}
    else:
        machines = {machine_line(record) for record in records}
        commits = {record.environment.short_commit for record in records}
    lines = [f"Machine: {line}." for line in sorted(machines)]
    lines.append(
        f"Python {', '.join(sorted(pythons))}; commit {', '.join(sorted(commits))}; "
        + (f"seeds {', '.join(map(str, seeds))}." if seeds else "no seed has a result.")
    )
    return (*lines, *([f"Printed by `{command}`."] if command else []))


def parts_of(record: Recorded) -> Sequence[Part | Environment]:
    """The processes that trained a run; of an old record or a failure, its environment."""
    return (isinstance(record, Record) and record.training.parts) or [record.environment]


def figure_footer(records: Sequence[Recorded]) -> str:
    """Data, machines, versions, commits, seeds, and what the figure may be compared with."""
    data = sorted({f"{r.task}, {data_of(r)} {r.data.fingerprint}" for r in records})
    compared = "; ".join(sorted({comparable_with(record) for record in records}))
    lines = (f"Data: {'; '.join(data)}.", *footer(records, None))
    return " ".join([*lines, f"{compared[:1].upper()}{compared[1:]}."])


def group_numbers(group: Group) -> dict[str, object]:
    """What tells the rows of several groups apart in one CSV."""
    first = group.first
    numbers = {
        "protocol": first.protocol.name,
        "modified": ";".join(f"{key}={value}" for key, value in sorted(first.modified.items())),
        "source": first.data.source,
        "data": first.data.fingerprint,
        "settings": settings_fingerprint(first.protocol),
        "comparable": comparable_with(first),
        "precision": first.precision,
        "accelerator": first.accelerator,
        "micro_batch": first.micro_batch,
    }
    if group.machine is not None:
        where = first.environment
        numbers |= {
            "machine": where.device,
            "threads": where.threads,
            "torch": where.versions.get("torch"),
            "matmul": where.matmul,
        }
    return numbers


def settings_line(record: Recorded) -> str:
    """Precision and the parts of a batch, which all of a table share."""
    parts = f", micro-batch {record.micro_batch}" if record.micro_batch else ""
    return f"{record.precision} on {record.accelerator}{parts}"


def table_title(what: str, record: Recorded, task: bool = False) -> str:
    """task: whether all of the table shares the task's settings too."""
    changes = record.modified if task else training_changes(record)
    return f"{what}: {protocol_of(record.protocol, changes)}"
