"""Which records may stand beside which: in accuracy, and in time and memory."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from attention_zoo import UsageError
from attention_zoo.options import spell
from lra.protocols import (
    Deviation,
    Protocol,
    differences,
    get_protocol,
    override,
    with_source,
)
from lra.results.record import Failure, Record
from lra.system.files import fingerprint

Recorded = Record | Failure


def conditions(record: Recorded) -> tuple:
    """What the accuracies of one table share whatever their task: the protocol with what left it,
    but for the task's own settings; precision, kind of device, micro-batch, and the fraction of the
    training split. A protocol's file is known by what it changes: it may have been edited since."""
    part = record.data.train_fraction
    # Of the whole split nothing, as before there were fractions: names of figures are made of it.
    return shared_conditions(record) + (() if part == 1 else (f"train fraction {part:g}",))


def shared_conditions(record: Recorded) -> tuple:
    """`conditions`, but for the fraction of the training split."""
    return (
        record.protocol.name,
        _of_file(record.protocol),
        tuple(sorted((key, str(value)) for key, value in training_changes(record).items())),
        record.precision,
        record.accelerator,
        record.micro_batch,
    )


@functools.lru_cache(maxsize=1024)
def _of_file(protocol: Protocol) -> tuple[str, ...]:
    if not protocol.file:
        return ()
    changes = differences(get_protocol(protocol.base, protocol.task.task), protocol)
    return tuple(f"{k}={spell(v)}" for k, v in changes.items() if not k.startswith("task."))


def training_part(record: Recorded) -> str:
    """What it was trained on; nothing for the whole training split."""
    part = record.data.train_fraction
    return "" if part == 1 else f"trained on {100 * part:g} % of the training split"


def training_changes(record: Recorded) -> dict[str, Any]:
    """Settings that left the protocol, but for the task's own."""
    return {k: v for k, v in record.modified.items() if not k.startswith("task.")}


def column(record: Recorded) -> tuple:
    """What the accuracies of one column share besides: the task, the data, every setting."""
    return (
        record.task,
        record.data.source,
        record.data.fingerprint,
        settings_fingerprint(record.protocol),
    )


@functools.lru_cache(maxsize=1024)  # thousands of records share a few protocols
def settings_fingerprint(protocol: Protocol) -> str:
    return fingerprint(protocol.settings)


def machine(record: Recorded) -> tuple:
    """What times and memory must share besides."""
    environment = record.environment
    return (
        environment.device,
        environment.threads,
        environment.versions.get("torch"),
        environment.matmul,
    )


def once(
    records: Iterable[Recorded], place: Callable[[Recorded], tuple | None] = lambda record: None
) -> list[Recorded]:
    """One record of each run: that with a result before a failure, then the one finished last.

    place: of a run that counts once in each. The same run may be on record twice, of two machines
    for one. In the order of task, attention and seed, whatever the order of `records`.
    """
    kept: dict[tuple, Recorded] = {}
    for record in records:
        run = conditions(record), column(record), place(record), record.attention, record.seed
        kept[run] = max(kept[run], record, key=_rank) if run in kept else record
    return sorted(kept.values(), key=lambda one: (one.task, one.attention, one.seed, one.identity))


def _rank(record: Recorded) -> tuple:
    return isinstance(record, Record), record.finished, repr(record)


def is_todays(record: Recorded) -> bool:
    """Whether the protocol of that name, with what left it, still is the record's. One from a file
    is what its record says."""
    if record.protocol.file:
        return True
    settings = [f"{key}={spell(value)}" for key, value in record.modified.items()]
    protocol = record.protocol
    asked = with_source(get_protocol(protocol.name, record.task), protocol.task.source)
    try:
        now, _ = override(asked, settings)
    except UsageError:  # of a setting that there is no more
        return False
    return now.settings == protocol.settings


def restorations(record: Recorded) -> set[tuple[str, object]]:
    """The settings that bring a run nearer to the source of its protocol."""
    return {
        setting
        for deviation in record.protocol.deviations
        for setting in restoring(deviation, record).items()
    }


def restoring(deviation: Deviation, record: Recorded) -> dict[str, object]:
    settings = (deviation.restore or "").removeprefix("--set").split()
    name = record.protocol.base or record.protocol.name
    return override(get_protocol(name, record.task), settings)[1]


def comparable_with(record: Recorded) -> str:
    """What its accuracy may be held against."""
    whole, part = _comparable_if_whole(record), training_part(record)
    if not part:
        return whole
    return f"{whole}; {part}" if whole.startswith("not") else f"not comparable with LRA: {part}"


def _comparable_if_whole(record: Recorded) -> str:
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
