"""The table of LRA: attentions × tasks."""

from collections import Counter
from collections.abc import Iterable, Sequence

from lra.results.captions import (
    comparable_lines,
    data_line,
    footer,
    group_numbers,
    in_order,
    parts_of,
    settings_line,
    table_title,
)
from lra.results.record import Record
from lra.results.statistics import mean
from lra.results.summary import Group, Summary
from lra.results.table import MISSING, Cell, Table
from lra.results.tables.cells import NOT_LEARNED, failed, notes_of, spread, with_best
from lra.tasks import get_task

Columns = Sequence[tuple[str, Group]]


def accuracy_tables(groups: Iterable[Group], command: str | None = None) -> list[Table]:
    """One for each set of conditions, a column a task and its data."""
    by_conditions: dict[tuple, list[Group]] = {}
    for group in groups:
        by_conditions.setdefault(group.conditions, []).append(group)
    return [_table(in_order(part), command) for part in by_conditions.values()]


def _table(columns: Columns, command: str | None) -> Table:
    attentions = sorted({name for _, group in columns for name in group.attentions})
    averaged = len(columns) > 1 and len({group.task for _, group in columns}) == len(columns)
    usual = _usual_count(columns)
    rows = []
    for name in attentions:
        summaries = [group.attentions.get(name) for _, group in columns]
        cells = [_cell(summary, usual) for summary in summaries]
        if len(columns) == 1:
            error = summaries[0].error
            cells.append(Cell(MISSING if error is None else f"{error:.1f}", error))
        if averaged:
            cells.append(_average(summaries))
        rows.append((Cell(name, name), *cells))
    compared = range(1, len(columns) + 1 + averaged)
    rows = with_best(rows, compared, max) + _rules(columns, averaged)
    records = [record for _, group in columns for record in group.records]
    first = columns[0][1].first
    return Table(
        kind="accuracy",
        title=table_title("Test accuracy, %", first),
        columns=(
            "attention",
            *(label for label, _ in columns),
            *(["s.e."] if len(columns) == 1 else []),
            *(["Avg"] if averaged else []),
        ),
        rows=tuple(rows),
        caption=tuple(_caption(columns, averaged, usual)),
        footer=footer(records, command, trained=True),
        notes=notes_of(rows),
        numbers=tuple(_numbers(columns)),
    )


def _usual_count(columns: Columns) -> int:
    """The number of runs that most cells have, the larger of two as frequent."""
    counts = Counter(
        len(summary.runs)
        for _, group in columns
        for summary in group.attentions.values()
        if summary.runs
    )
    return max(counts, key=lambda n: (counts[n], n), default=0)


def _cell(summary: Summary | None, usual: int) -> Cell:
    if summary is None:
        return Cell(MISSING)
    remarks = [text] if (text := failed(summary.failures)) else []
    if not summary.runs:
        return Cell(f"{MISSING} ({', '.join(remarks)})")
    n, learned = len(summary.runs), summary.learned
    if 0 < learned < n:
        remarks.insert(0, f"{learned} of {n} learned")
    elif n != usual:
        remarks.insert(0, f"n={n}")
    text = spread(summary.mean, summary.std) + (f" ({', '.join(remarks)})" if remarks else "")
    return Cell(text, summary.mean, notes=() if learned else (NOT_LEARNED,))


def _average(summaries: Sequence[Summary | None]) -> Cell:
    if any(summary is None or not summary.runs for summary in summaries):
        return Cell(MISSING)
    value = mean([summary.mean for summary in summaries])
    return Cell(f"{value:.1f}", value)


def _rules(columns: Columns, averaged: bool) -> list[tuple[Cell, ...]]:
    """A row for each rule that needs no learning, guessing among them."""
    found: list[dict[str, float]] = []
    for _, group in columns:
        shares = {"chance": get_task(group.task).metadata.chance}
        if isinstance(group.first, Record):
            shares |= group.first.data.baselines
        found.append(shares)
    rest = [Cell(MISSING)] * (averaged or len(columns) == 1)
    return [
        (
            Cell(f"({rule})", f"({rule})"),
            *(
                Cell(f"{100 * shares[rule]:.1f}", 100 * shares[rule])
                if rule in shares
                else Cell(MISSING)
                for shares in found
            ),
            *rest,
        )
        for rule in dict.fromkeys(rule for shares in found for rule in shares)
    ]


def _caption(columns: Columns, averaged: bool, usual: int) -> list[str]:
    lines = comparable_lines(columns)
    lines += [data_line(label, group) for label, group in columns]
    runs = "a run" if usual == 1 else f"n = {usual} runs of different seeds"
    spreads = any(s.std is not None for _, group in columns for s in group.attentions.values())
    several = "; ± the standard deviation (n − 1) of several" if spreads else ""
    if usual:
        lines.append(f"Each cell: {runs} unless it says otherwise{several}.")
    if len(columns) == 1:
        lines.append("s.e.: binomial, of one run of that accuracy.")
    elif averaged:
        named = ", ".join(label for label, _ in columns)
        lines.append(f"Avg: over {named}; a row that lacks one has none.")
    else:
        lines.append("No average: one task stands in several columns.")
    lines.append(
        "Learned: better than a constant answer by two standard errors. In brackets: rules that "
        f"read one token or none. {settings_line(columns[0][1].first)}."
    )
    return lines


def _numbers(columns: Columns) -> Iterable[dict[str, object]]:
    for _, group in columns:
        shared = group_numbers(group)
        for name, summary in group.attentions.items():
            records = [*summary.runs.values(), *summary.failures]
            yield {
                "task": group.task,
                "attention": name,
                "n": len(summary.runs),
                "accuracy": summary.mean,
                "std": summary.std,
                "s.e.": summary.error,
                "learned": summary.learned,
                "failed": failed(summary.failures) or None,
                **shared,
                "machines": "; ".join(sorted({p.machine for r in records for p in parts_of(r)})),
                "commits": " ".join(sorted({p.short_commit for r in records for p in parts_of(r)})),
            }
        rules = {"chance": get_task(group.task).metadata.chance}
        if isinstance(group.first, Record):
            rules |= group.first.data.baselines
        for rule, share in rules.items():
            yield {"task": group.task, "attention": f"({rule})", "accuracy": 100 * share, **shared}
