"""Which published figures a group of ours may stand beside, and what still sets them apart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from attention_zoo import UsageError, parse_spec
from lra.protocols import Deviation, drops, get_protocol, override
from lra.results.captions import task_changes
from lra.results.comparable import (
    Recorded,
    is_todays,
    restorations,
    restoring,
    training_changes,
    training_part,
)
from lra.results.published import Published, differences
from lra.results.record import Failure
from lra.results.summary import Group
from lra.tasks import get_task

DROPOUT = "model.attention_dropout"
EXACT = ("sdpa", "xformers")  # kernels of softmax attention, which papers print


@dataclass
class Agreeing:
    """What a group has in common with papers: rows by attention, or the reason why none. lines: why
    not all of the group stands beside something."""

    rows: dict[str, list[Published]] = field(default_factory=dict)
    reason: str | None = None
    lines: list[str] = field(default_factory=list)


def agreeing(group: Group, published: Iterable[Published]) -> Agreeing:
    """The published accuracies that a group's may stand beside."""
    rows = [row for row in published if row.task == group.task and row.metric == "accuracy %"]
    same = _same_conditions(group.first, rows)
    if isinstance(same, str):
        return Agreeing(reason=same, lines=[same])
    found, alone, ended = Agreeing(), [], []
    for name, summary in group.attentions.items():
        mathematics = mathematics_of(name)
        matching = [row for row in same if row.spec == mathematics_of(name, drawn=False)]
        if matching and summary.runs:
            found.rows[name] = matching
        elif matching:
            ended.append(name)
        elif unlike := differences(name, mathematics, same):
            found.lines += unlike
        else:
            alone.append(name)
    found.lines += [f"nothing is published of {', '.join(alone)}"] if alone else []
    found.lines += [f"no result of ours of {', '.join(ended)}"] if ended else []
    return found


def _same_conditions(first: Recorded, rows: Iterable[Published]) -> list[Published] | str:
    """Those of the rows whose protocol, data and settings are this record's, or why none is."""
    protocol = first.protocol.name
    rows = [row for row in rows if row.protocol == protocol and (row.spec or row.nearest)]
    if not rows:
        return f"nothing is published under protocol {protocol}"
    theirs = ", ".join(sorted({row.source for row in rows}))
    rows = [row for row in rows if row.source == first.data.source]
    if not rows:
        return f"ours is {first.data.source} data, theirs {theirs}"
    if part := training_part(first):
        return f"ours was {part}, theirs on all of it"
    if not (is_todays(first) and _whole_test(first)):
        return f"protocol {protocol} had other settings when ours was run"
    nearer = restorations(first)
    left = [key for key, value in training_changes(first).items() if (key, value) not in nearer]
    if left:
        return f"{', '.join(sorted(left))} left protocol {protocol}"
    same = [row for row in rows if _settings(row) == task_changes(first)]
    if not same:
        theirs = sorted({f"`--set {row.settings}`" if row.settings else "none" for row in rows})
        return f"other settings of the data; theirs: {' or '.join(theirs)}"
    return same


def _whole_test(record: Recorded) -> bool:
    """Whether its test split is the official one, less an incomplete batch perhaps."""
    missing = get_task(record.task).metadata.splits["test"]
    missing -= missing if isinstance(record, Failure) else record.test.count
    return 0 <= missing < record.protocol.training.batch


def remaining(records: Sequence[Recorded]) -> list[str]:
    """Where any of these runs departs from the source of its protocol."""
    stated = dict.fromkeys(d for record in records for d in record.protocol.deviations)
    found = (d.text for d in stated if any(_departs(record, d) for record in records))
    return list(dict.fromkeys(found))


def _departs(record: Recorded, deviation: Deviation) -> bool:
    if deviation not in record.protocol.deviations:
        return False
    wanted = restoring(deviation, record)
    had = record.modified
    if DROPOUT in wanted:
        name = record.attention.partition("+")[0].partition(":")[0]
        if not drops(record.protocol.name, "softmax" if name in EXACT else name):
            wanted = wanted | {DROPOUT: 0.0}
        had = had | {DROPOUT: record.attention_dropout}
    return not wanted or any(had.get(key) != value for key, value in wanted.items())


def _settings(row: Published) -> dict[str, object]:
    return override(get_protocol(row.protocol, row.task), row.settings.split())[1]


def mathematics_of(spec: str, drawn: bool = True) -> str:
    """A record's attention as `spec` has it there: without options at the class' defaults, which a
    record spells where its protocol has others. drawn: with `redraw`, which decides when another
    matrix is drawn, not which."""
    if spec.partition(":")[0] in EXACT and "+" not in spec:
        return "softmax"
    try:
        parsed = parse_spec(spec)
    except UsageError:  # of a plugin that is not imported
        return spec
    options = [option for option in parsed.attention.options if drawn or option[0] != "redraw"]
    return str(replace(parsed, attention=replace(parsed.attention, options=tuple(options))))
