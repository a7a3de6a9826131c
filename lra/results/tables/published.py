"""Our accuracies beside published ones, where protocol and data agree."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lra.results.agreement import Agreeing, agreeing, remaining
from lra.results.captions import bracketed, by_conditions, footer, settings_line, table_title
from lra.results.numbers import signed
from lra.results.published import FAIL, Published
from lra.results.record import Record
from lra.results.statistics import binomial_error
from lra.results.summary import Group, Summary
from lra.results.table import Column, Table
from lra.results.tables.accuracy import not_learned, spread, tenths
from lra.results.tables.groups import ORIGIN, TASK, head_lines
from lra.tasks import get_task


@dataclass(frozen=True)
class Beside:
    """A row: an attention's runs and a published figure."""

    group: Group
    summary: Summary
    theirs: Published

    @property
    def runs(self) -> list[Record]:
        return list(self.summary.runs.values())

    @property
    def difference(self) -> float | None:
        """In points; None where the paper has FAIL."""
        theirs = self.theirs.value
        return None if theirs is None else self.summary.mean - theirs

    @property
    def in_errors(self) -> float | None:
        """In standard errors of both; None where those are zero."""
        ours, theirs = self.summary, self.theirs
        if theirs.value is None:
            return None
        n, count = len(self.runs), self.runs[0].test.count
        official = get_task(theirs.task).metadata.splits["test"]
        first = _error(ours.mean, ours.std, n, count)
        second = _error(theirs.value, theirs.std, theirs.n, official)
        if first == second == 0:
            return None
        return (ours.mean - theirs.value) / math.hypot(first, second)


def _error(value: float, std: float | None, n: int | None, count: int) -> float:
    return binomial_error(value, count) if std is None or not n else std / math.sqrt(n)


COLUMNS: list[Column[Any]] = [
    TASK,
    Column("attention", lambda row: row.summary.attention),
    Column(
        "ours",
        lambda row: row.summary.mean,
        format=tenths,
        more=lambda row: spread(row.summary),
        notes=lambda row: not_learned(row.summary),
        key="accuracy",
    ),
    Column("std", lambda row: row.summary.std, shown=False),
    Column("n", lambda row: len(row.runs), more=lambda row: bracketed(row.summary.failed)),
    Column(
        "published",
        lambda row: FAIL if row.theirs.value is None else row.theirs.value,
        format=lambda value: value if value == FAIL else f"{value:g}",
        more=lambda row: "" if row.theirs.std is None else f" ± {row.theirs.std:g}",
    ),
    Column("published std", lambda row: row.theirs.std, shown=False),
    Column("published n", lambda row: row.theirs.n, shown=False),
    Column("Δ", lambda row: row.difference, format=signed, key="difference"),
    Column("Δ in s.e.", lambda row: row.in_errors, format=signed, key="in standard errors"),
    Column(
        "by",
        lambda row: f"{row.theirs.model}: {row.theirs.origin}",
        more=lambda row: bracketed(row.theirs.note),
    ),
    Column("differs", lambda row: row.theirs.differs or None),
    *(
        Column(name, lambda row, name=name: getattr(row.theirs, name) or None, shown=False)
        for name in ("paper", "arxiv", "table", "model", "note")
    ),
    Column("departures", lambda row: "; ".join(remaining(row.runs)), shown=False),
    *ORIGIN,
]


def published_tables(
    groups: Iterable[Group], published: Sequence[Published], command: str | None = None
) -> tuple[list[Table], list[str]]:
    """A table for each set of conditions where anything agrees, and why the rest does not."""
    tables, reasons = [], []
    for labelled in by_conditions(groups):
        found = [(group, agreeing(group, published)) for group in labelled]
        reasons += [f"{group.label}: {reason}" for group, one in found for reason in one.lines]
        if shown := [(group, one) for group, one in found if one.rows]:
            tables.append(_table(shown, command))
    return tables, list(dict.fromkeys(reasons))


def _table(found: Sequence[tuple[Group, Agreeing]], command: str | None) -> Table:
    rows = [
        Beside(group, group.attentions[name], row)
        for group, one in found
        for name, matching in one.rows.items()
        for row in matching
    ]
    groups = [group for group, _ in found]
    departures: dict[str, list[str]] = {}
    for group in groups:
        shown = [run for row in rows if row.group is group for run in row.runs]
        departures.setdefault("; ".join(remaining(shown)), []).append(group.label)
    first = groups[0].first
    caption = (
        *head_lines(groups),
        "Δ: ours less theirs. s.e.: of both means together; of each its standard deviation over √n "
        "where it is known, else the binomial one of the test split, which leaves out what seeds "
        "do. differs: what the attention behind the published figure computes otherwise.",
        *(
            f"{', '.join(labels)}, still unlike the source: {text or 'nothing'}."
            for text, labels in departures.items()
        ),
        f"{settings_line(first)}.",
    )
    title = table_title("Test accuracy, %, beside published figures", first)
    where = footer([run for row in rows for run in row.runs], command, trained=True)
    return Table.of("published", title, COLUMNS, rows, caption=caption, footer=where)
