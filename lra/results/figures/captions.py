"""What stands over and under a figure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lra.results.comparable import Recorded, training_changes
from lra.results.record import Record
from lra.system.files import fingerprint


@dataclass(frozen=True)
class Caption:
    """name: of the figure's files, the same for what is comparable whatever else is on record.
    title: what was done under which conditions, a line. notes: what is drawn, sentences. footer:
    where the numbers are from."""

    name: str
    title: str
    notes: tuple[str, ...]
    footer: str


def file_name(kind: str, words: Iterable[str], key: object) -> str:
    """Readable words, and 8 digits of `key` by which they are told from others of these words."""
    safe = (re.sub(r"[\W_]+", "-", word.lower()).strip("-") for word in words)
    return "-".join([kind, *filter(None, safe), fingerprint(repr(key))[:8]])


def conditions_of(record: Recorded) -> str:
    """The protocol, what left it, and what else may differ between figures."""
    changes = ", ".join(f"{key}={value}" for key, value in training_changes(record).items())
    parts = [
        f"{record.protocol.name} protocol" + (f" modified ({changes})" if changes else ""),
        record.precision,
        f"in parts of {record.micro_batch}" if record.micro_batch else "",
    ]
    return ", ".join(filter(None, parts))


def data_of(record: Recorded) -> str:
    """The source of the data, with the task's settings that left the protocol."""
    changed = {k: v for k, v in record.modified.items() if k.startswith("task.")}
    changes = ", ".join(f"{key.removeprefix('task.')}={v}" for key, v in changed.items())
    return f"{record.data.source} data" + (f" ({changes})" if changes else "")


def footer(records: Iterable[Recorded]) -> str:
    records = list(records)
    found = [record for record in records if isinstance(record, Record)]
    counts = set(_seeds(found).values())
    seeds = f"{min(counts)}–{max(counts)}" if len(counts) > 1 else str(*counts)
    machines = sorted({record.environment.machine for record in records})
    commits = sorted({record.environment.short_commit for record in records})
    plural = "" if counts == {1} else "s"
    return (
        f"{'; '.join(machines)}; commit {', '.join(commits)}; {seeds} seed{plural} an attention. "
        f"{_compared(found)}"
    )


def _seeds(records: Iterable[Record]) -> dict[tuple[str, str], int]:
    seeds: dict[tuple[str, str], set[int]] = {}
    for record in records:
        seeds.setdefault((record.task, record.attention), set()).add(record.seed)
    return {key: len(found) for key, found in seeds.items()}


def _compared(records: Sequence[Record]) -> str:
    found = {
        "not comparable with LRA: made-up data in the official format"
        if record.data.source == "sample"
        else record.protocol.comparable
        for record in records
    }
    line = "; ".join(sorted(found))
    return f"{line[:1].upper()}{line[1:]}."
