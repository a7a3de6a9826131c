"""The table of LRA: attentions × tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import multimode
from typing import Any

from lra.results.captions import (
    bracketed,
    by_conditions,
    footer,
    parts_of,
    settings_line,
    table_title,
)
from lra.results.record import Record
from lra.results.statistics import mean
from lra.results.summary import Group, Summary
from lra.results.table import Column, Note, Table, values
from lra.results.tables.groups import NOT_LEARNED, ORIGIN, TASK, head_lines
from lra.tasks import get_task

tenths = "{:.1f}".format


@dataclass(frozen=True)
class Result:
    """An attention's runs in one group; or none, and the percentage that a rule gets right that
    needs no learning. usual: the number of runs that most of the table's results have."""

    group: Group
    summary: Summary
    usual: int = 0
    rule: float | None = None

    @property
    def more(self) -> str:
        """How many runs there are is said where not all learned, or where it is not the usual."""
        n, learned = len(self.summary.runs), self.summary.learned
        count = f"n={n}" if n not in (0, self.usual) else ""
        count = f"{learned} of {n} learned" if 0 < learned < n else count
        return spread(self.summary) + bracketed(count, self.summary.failed)

    def parts(self, name: str) -> list[str]:
        """Of the processes that trained."""
        parts = (part for record in self.summary.records for part in parts_of(record))
        return sorted({getattr(part, name) for part in parts})


def spread(summary: Summary) -> str:
    """± the standard deviation of several runs."""
    return "" if summary.std is None else f" ± {summary.std:.1f}"


def not_learned(summary: Summary) -> list[Note]:
    return [NOT_LEARNED] if summary.runs and not summary.learned else []


# Of a table of several tasks each has the columns that have a best; a table of one has all.
COLUMNS: list[Column[Any]] = [
    replace(TASK, shown=False),
    Column("attention", lambda one: one.summary.attention, shown=False),
    Column("n", lambda one: len(one.summary.runs), shown=False),
    Column(
        "accuracy",
        lambda one: one.summary.mean if one.rule is None else one.rule,
        format=tenths,
        more=lambda one: one.more,
        best=max,
        notes=lambda one: not_learned(one.summary),
    ),
    Column("std", lambda one: one.summary.std, shown=False),
    Column("s.e.", lambda one: one.summary.error, format=tenths),
    Column("learned", lambda one: one.summary.learned, shown=False),
    Column("failed", lambda one: one.summary.failed or None, shown=False),
    *ORIGIN,
    Column("machines", lambda one: "; ".join(one.parts("machine")), shown=False),
    Column("commits", lambda one: " ".join(one.parts("short_commit")), shown=False),
]
Line = tuple[str, list[Result | None]]  # a row: a name and its result under each label


def accuracy_tables(groups: Iterable[Group], command: str | None = None) -> list[Table]:
    """One for each set of conditions, a column a task and its data."""
    return [_table(groups, command) for groups in by_conditions(groups)]


def _table(groups: Sequence[Group], command: str | None) -> Table:
    summaries = [summary for group in groups for summary in group.attentions.values()]
    usual = max(multimode(len(one.runs) for one in summaries if one.runs), default=0)
    results = [results_of(group, usual) for group in groups]
    names = sorted({one.attention for one in summaries})
    rules = dict.fromkeys(name for found in results for name in found if name not in names)
    lines: list[Line] = [
        (name, [found.get(name) for found in results]) for name in (*names, *rules)
    ]
    return Table.of(
        "accuracy",
        table_title("Test accuracy, %", groups[0].first),
        _columns(groups),
        lines[: len(names)],
        _caption(groups, usual, spreads=any(one.std is not None for one in summaries)),
        footer([record for one in summaries for record in one.records], command, trained=True),
        lines[len(names) :],
        values(COLUMNS, [one for found in results for one in found.values()]),
    )


def results_of(group: Group, usual: int) -> dict[str, Result]:
    """By name: attentions, then the rules that need no learning, guessing among them."""
    shares = {"chance": get_task(group.task).metadata.chance}
    shares |= group.first.data.baselines if isinstance(group.first, Record) else {}
    named = {f"({rule})": 100 * share for rule, share in shares.items()}
    found = {name: Result(group, one, usual) for name, one in group.attentions.items()}
    return found | {
        name: Result(group, Summary(name, []), rule=share) for name, share in named.items()
    }


def _columns(groups: Sequence[Group]) -> list[Column[Line]]:
    found, alone = [Column[Line]("attention", lambda line: line[0])], len(groups) == 1
    for at, group in enumerate(groups):
        for column in (c for c in COLUMNS if c.shown and (c.best or alone)):
            header = column.header if alone else f"{group.label} {column.header}"
            header = group.label if column.name == "accuracy" else header
            found.append(column.within(header, lambda line, at=at: line[1][at]))
    average = Column("Avg", _average, format=tenths, best=max)
    return [*found, average] if _averaged(groups) else found


def _averaged(groups: Sequence[Group]) -> bool:
    return len(groups) > 1 and len({group.task for group in groups}) == len(groups)


def _average(line: Line) -> float | None:
    """Of an attention that has all; None of a rule."""
    found = [one and one.summary.mean for one in line[1]]
    return None if None in found else mean(found)


def _caption(groups: Sequence[Group], usual: int, spreads: bool) -> list[str]:
    lines = head_lines(groups)
    records = [record for group in groups for record in group.records]
    off = {
        r.attention for r in records if r.attention_dropout != r.protocol.model.attention_dropout
    }
    if off:
        lines.append(f"No attention dropout (not supported): {', '.join(sorted(off))}.")
    if usual:
        runs = "Single runs" if usual == 1 else f"Means of n = {usual} runs of different seeds"
        several = "; ± the standard deviation (n − 1) of several" if spreads else ""
        lines.append(f"{runs} unless noted{several}.")
    if len(groups) == 1:
        lines.append("s.e.: binomial, of one run of that accuracy.")
    elif _averaged(groups):
        named = ", ".join(group.label for group in groups)
        lines.append(f"Avg: over {named}; a row that lacks one has none.")
    else:
        lines.append("No average: one task is in several columns.")
    lines.append(
        "Learned: two standard errors better than a constant answer. In parentheses: trivial "
        f"baselines. {settings_line(groups[0].first)}."
    )
    return lines
