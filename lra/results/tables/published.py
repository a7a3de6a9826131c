"""Our accuracies beside published ones, where protocol and data agree."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lra.protocols import get_protocol, override
from lra.results.captions import (
    data_line,
    footer,
    group_numbers,
    in_order,
    settings_line,
    table_title,
    task_changes,
)
from lra.results.comparable import (
    Recorded,
    is_todays,
    restorations,
    restoring,
    training_changes,
)
from lra.results.numbers import signed
from lra.results.published import FAIL, Published
from lra.results.record import Failure
from lra.results.statistics import binomial_error, difference_in_errors
from lra.results.summary import Group, Summary
from lra.results.table import MISSING, Cell, Table
from lra.results.tables.cells import NOT_LEARNED, failed, notes_of, spread
from lra.tasks import get_task

METRIC = "accuracy %"
EXACT = ("sdpa", "xformers")  # kernels of softmax attention, which papers print


@dataclass
class Agreeing:
    """What a group has in common with papers: rows by attention, or the reason why none.

    alone: attentions that no row is of; ended: those that have one, but no result of ours.
    """

    rows: dict[str, list[Published]] = field(default_factory=dict)
    reason: str | None = None
    alone: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


def published_tables(
    groups: Iterable[Group], published: Sequence[Published], command: str | None = None
) -> tuple[list[Table], list[str]]:
    """A table for each set of conditions where anything agrees, and why the rest does not."""
    by_conditions: dict[tuple, list[Group]] = {}
    for group in groups:
        by_conditions.setdefault(group.conditions, []).append(group)
    tables, reasons = [], []
    for part in by_conditions.values():
        columns = [(label, group, agreeing(group, published)) for label, group in in_order(part)]
        shown = [one for one in columns if one[2].rows]
        for label, _, found in columns:
            if found.reason:
                reasons.append(f"{label}: {found.reason}")
            if found.alone:
                reasons.append(f"{label}: nothing is published of {', '.join(found.alone)}")
            if found.ended:
                reasons.append(f"{label}: no result of ours of {', '.join(found.ended)}")
        if shown:
            tables.append(_table(shown, command))
    return tables, list(dict.fromkeys(reasons))


def agreeing(group: Group, published: Iterable[Published]) -> Agreeing:
    """The published accuracies that a group's may stand beside."""
    first = group.first
    protocol = first.protocol.name
    rows = [
        row
        for row in published
        if (row.task, row.metric, row.protocol) == (group.task, METRIC, protocol) and row.spec
    ]
    if not rows:
        return Agreeing(reason=f"nothing is published under protocol {protocol}")
    theirs = ", ".join(sorted({row.source for row in rows}))
    rows = [row for row in rows if row.source == first.data.source]
    if not rows:
        return Agreeing(reason=f"ours is {first.data.source} data, theirs {theirs}")
    if not (is_todays(first) and _whole_test(first)):
        return Agreeing(reason=f"protocol {protocol} had other settings when ours was run")
    nearer = restorations(first)
    left = [key for key, value in training_changes(first).items() if (key, value) not in nearer]
    if left:
        return Agreeing(reason=f"{', '.join(sorted(left))} left protocol {protocol}")
    same = [row for row in rows if _settings(row) == task_changes(first)]
    if not same:
        theirs = sorted({f"`--set {row.settings}`" if row.settings else "none" for row in rows})
        return Agreeing(reason=f"other settings of the data; theirs: {' or '.join(theirs)}")
    found = Agreeing()
    for name, summary in group.attentions.items():
        matching = [row for row in same if row.spec == _mathematics(name)]
        if not matching:
            found.alone.append(name)
        elif summary.runs:
            found.rows[name] = matching
        else:
            found.ended.append(name)
    return found


def _whole_test(record: Recorded) -> bool:
    """Whether its test split is the official one, less an incomplete batch perhaps."""
    missing = get_task(record.task).metadata.splits["test"]
    missing -= missing if isinstance(record, Failure) else record.test.count
    return 0 <= missing < record.protocol.training.batch


def remaining(record: Recorded) -> list[str]:
    """Where a run departs from the source of its protocol."""
    return [
        deviation.text
        for deviation in record.protocol.deviations
        if not (wanted := restoring(deviation, record))
        or any(record.modified.get(key) != value for key, value in wanted.items())
    ]


def _settings(row: Published) -> dict[str, object]:
    return override(get_protocol(row.protocol, row.task), row.settings.split())[1]


def _mathematics(spec: str) -> str:
    return "softmax" if spec.partition(":")[0] in EXACT and "+" not in spec else spec


def _table(columns: Sequence[tuple[str, Group, Agreeing]], command: str | None) -> Table:
    pairs = [
        (label, group, group.attentions[name], row)
        for label, group, found in columns
        for name, matching in found.rows.items()
        for row in matching
    ]
    rows = [_row(*pair) for pair in pairs]
    departures: dict[str, list[str]] = {}
    for label, group, _ in columns:
        departures.setdefault("; ".join(remaining(group.first)), []).append(label)
    records = [run for _, _, summary, _ in pairs for run in summary.runs.values()]
    first = columns[0][1].first
    return Table(
        kind="published",
        title=table_title("Test accuracy, %, beside published figures", first),
        columns=("task", "attention", "ours", "n", "published", "Δ", "Δ in s.e.", "by"),
        rows=tuple(rows),
        caption=(
            *(data_line(label, group) for label, group, _ in columns),
            "Δ: ours less theirs. s.e.: of both means together; of each its standard deviation "
            "over √n where it is known, else the binomial one of the test split, which leaves out "
            "what seeds do. A dash where that is zero.",
            *(
                f"{', '.join(labels)}, still unlike the source: {text or 'nothing'}."
                for text, labels in departures.items()
            ),
            f"{settings_line(first)}.",
        ),
        footer=footer(records, command, trained=True),
        notes=notes_of(rows),
        numbers=tuple(_numbers(*pair[1:]) for pair in pairs),
    )


def _error(value: float, std: float | None, n: int | None, count: int) -> float:
    return binomial_error(value, count) if std is None or not n else std / math.sqrt(n)


def _difference(summary: Summary, row: Published) -> tuple[float | None, float | None]:
    """In points and in standard errors; neither where the paper has FAIL."""
    if row.value is None:
        return None, None
    ours = _error(summary.mean, summary.std, len(summary.runs), _count(summary))
    theirs = _error(row.value, row.std, row.n, get_task(row.task).metadata.splits["test"])
    errors = None
    if ours or theirs:
        errors = difference_in_errors(summary.mean, ours, row.value, theirs)
    return summary.mean - row.value, errors


def _count(summary: Summary) -> int:
    return next(iter(summary.runs.values())).test.count


def _row(label: str, group: Group, summary: Summary, row: Published) -> tuple[Cell, ...]:
    points, errors = _difference(summary, row)
    theirs = FAIL if row.value is None else f"{row.value:g}"
    if row.std is not None:
        theirs += f" ± {row.std:g}"
    by = f"{row.model}: {row.origin}" + (f" ({row.note})" if row.note else "")
    ended = failed(summary.failures)
    return (
        Cell(label, label),
        Cell(summary.attention, summary.attention),
        Cell(
            spread(summary.mean, summary.std),
            summary.mean,
            notes=() if summary.learned else (NOT_LEARNED,),
        ),
        Cell(f"{len(summary.runs)}" + (f" ({ended})" if ended else ""), len(summary.runs)),
        Cell(theirs, row.value),
        Cell(MISSING if points is None else signed(points), points),
        Cell(MISSING if errors is None else signed(errors), errors),
        Cell(by, by),
    )


def _numbers(group: Group, summary: Summary, row: Published) -> dict[str, object]:
    points, errors = _difference(summary, row)
    return {
        "task": group.task,
        "attention": summary.attention,
        "n": len(summary.runs),
        "accuracy": summary.mean,
        "std": summary.std,
        "published": FAIL if row.value is None else row.value,
        "published std": row.std,
        "published n": row.n,
        "difference": points,
        "in standard errors": errors,
        **{key: getattr(row, key) for key in ("paper", "arxiv", "table", "model", "note")},
        "departures": "; ".join(remaining(group.first)),
        **group_numbers(group),
    }
