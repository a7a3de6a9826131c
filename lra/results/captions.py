"""What stands around a table or a figure: names, what it may be compared with, where its numbers
are from."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lra.measure.sheet import Settings, Sheet
from lra.protocols import Protocol
from lra.results.comparable import (
    Recorded,
    settings_fingerprint,
    training_changes,
    training_part,
)
from lra.results.record import Part, Record
from lra.results.summary import Group
from lra.system.environment import Environment
from lra.system.files import fingerprint
from lra.tasks import get_task, names


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
    return get_task(task).metadata.title


def place(task: str) -> int:
    """In the order of LRA's table."""
    return names().index(task)


def spelled(changes: Mapping[str, Any], between: str = ", ") -> str:
    return between.join(f"{key}={value}" for key, value in sorted(changes.items()))


def task_changes(record: Recorded) -> dict[str, Any]:
    return {key: value for key, value in record.modified.items() if key.startswith("task.")}


def protocol_of(protocol: Protocol, modified: Mapping[str, Any]) -> str:
    left = f", modified ({spelled(modified)})" if modified else ""
    return f"protocol {protocol.name}{left}"


def conditions_of(record: Recorded) -> str:
    """The protocol, what left it but for the task's settings, precision, device, micro-batch."""
    return f"{protocol_of(record.protocol, training_changes(record))}, {settings_line(record)}"


def data_of(record: Recorded) -> str:
    """The source of the data, with the task's settings that left the protocol."""
    changes = spelled(task_changes(record))
    return f"{record.data.source} data" + (f" ({changes})" if changes else "")


def group_title(record: Recorded) -> str:
    """Of a figure of one task."""
    return f"{record.task}, {data_of(record)}, {conditions_of(record)}"


def sheet_title(settings: Settings) -> str:
    """What was measured, with every setting in which figures may differ but the device."""
    shape = f"batch {settings.batch}, {settings.heads} heads of {settings.head_dim}"
    if settings.level == "step":
        left = f" modified ({spelled(settings.modified)})" if settings.modified else ""
        shape += f", {settings.task}, protocol {settings.protocol}{left}"
        shape += f", in parts of {settings.micro_batch}" if settings.micro_batch else ""
    compiled = ", torch.compile" if settings.compile else ""
    return f"Level {settings.level}: {shape}, {settings.dtype}{compiled}, nothing padded"


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


def figure_footer(*groups: Group) -> str:
    """Data, machines, versions, commits, seeds, and what the figure may be compared with."""
    firsts = [group.first for group in groups]
    data = sorted({f"{r.task}, {data_of(r)} {r.data.fingerprint}" for r in firsts})
    compared = "; ".join(sorted({group.comparable for group in groups}))
    where = footer([record for group in groups for record in group.records], None)
    lines = (f"Data: {'; '.join(data)}.", *where)
    return " ".join([*lines, f"{compared[:1].upper()}{compared[1:]}."])


def settings_line(record: Recorded) -> str:
    """`precision_line` and the training split's part, which all of a table share."""
    return ", ".join(filter(None, [precision_line(record), training_part(record)]))


def precision_line(record: Recorded) -> str:
    """Precision, device and the parts of a batch."""
    parts = f", micro-batch {record.micro_batch}" if record.micro_batch else ""
    return f"{record.precision} on {record.accelerator}{parts}"


def table_title(what: str, record: Recorded, task: bool = False) -> str:
    """task: whether all of the table shares the task's settings too."""
    changes = record.modified if task else training_changes(record)
    part = training_part(record)
    return f"{what}: {protocol_of(record.protocol, changes)}" + (f", {part}" if part else "")


def bracketed(*remarks: str) -> str:
    said = ", ".join(filter(None, remarks))
    return f" ({said})" if said else ""


def by_conditions(groups: Iterable[Group]) -> list[list[Group]]:
    """The groups of each table, labelled, in LRA's order. A task that has one is named alone; one
    that has several says of each what it is."""
    found: dict[tuple, dict[str, list[Group]]] = {}
    for group in groups:
        found.setdefault(group.conditions, {}).setdefault(group.task, []).append(group)
    return [
        [
            replace(group, label=title(task) + bracketed(*details))
            for task in sorted(by_task, key=place)
            for details, group in sorted(_told_apart(by_task[task]), key=lambda pair: pair[0])
        ]
        for by_task in found.values()
    ]


def _told_apart(groups: Sequence[Group]) -> list[tuple[Sequence[str], Group]]:
    """Each group with as much of its details as tells it from the others."""
    details = [
        (
            first.data.source,
            spelled(task_changes(first)),
            first.data.fingerprint[:8],
            settings_fingerprint(first.protocol)[:8],
        )
        for first in (group.first for group in groups)
    ]
    sizes = (0,) if len(groups) == 1 else (2, 3)
    size = next((n for n in sizes if len({one[:n] for one in details}) == len(groups)), 4)
    return [(one[:size], group) for one, group in zip(details, groups, strict=True)]
