"""The table of fractions: test accuracy by the part of the training split that was trained on."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import multimode

from lra.results.captions import footer, precision_line, protocol_of, title
from lra.results.comparable import shared_conditions
from lra.results.summary import Group
from lra.results.table import Column, Table, values
from lra.results.tables.accuracy import COLUMNS, Line, results_of
from lra.results.tables.groups import head_lines

Fractions = Mapping[float, Group]  # ascending
SUBSETS = (
    "Columns: the part of the training split that was trained on: the same examples for every "
    "attention and seed, stratified by label, the smaller part within the larger. Steps are the "
    "protocol's; validation and test are whole."
)


def by_fraction(groups: Iterable[Group]) -> list[Fractions]:
    """Groups that differ in the fraction of the training split alone, where there are several."""
    found: dict[tuple, dict[float, Group]] = {}
    for group in groups:
        key = shared_conditions(group.first), group.column
        found.setdefault(key, {})[group.first.data.train_fraction] = group
    return [dict(sorted(of.items())) for of in found.values() if len(of) > 1]


def fraction_tables(groups: Iterable[Group], command: str | None = None) -> list[Table]:
    """One for each task, its data and conditions; rows attentions, columns fractions."""
    return [_table(fractions, command) for fractions in by_fraction(groups)]


def percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"


def _table(fractions: Fractions, command: str | None) -> Table:
    groups = [replace(group, label=title(group.task)) for group in fractions.values()]
    summaries = [summary for group in groups for summary in group.attentions.values()]
    usual = max(multimode(len(one.runs) for one in summaries if one.runs), default=0)
    results = [results_of(group, usual) for group in groups]
    names = sorted({one.attention for one in summaries})
    rules = dict.fromkeys(name for found in results for name in found if name not in names)
    lines: list[Line] = [
        (name, [found.get(name) for found in results]) for name in (*names, *rules)
    ]
    accuracy = next(column for column in COLUMNS if column.name == "accuracy")
    columns = [Column[Line]("attention", lambda line: line[0])]
    columns += [
        accuracy.within(percent(fraction), lambda line, at=at: line[1][at])
        for at, fraction in enumerate(fractions)
    ]
    first = groups[-1].first  # of the largest part
    what = f"Test accuracy, %, by part of the training split, {title(first.task)}"
    runs = "Single runs" if usual == 1 else f"Means of n = {usual} runs of different seeds"
    several = any(one.std is not None for one in summaries)
    spread = "; ± the standard deviation (n − 1) of several" if several else ""
    caption = (
        *head_lines(groups[-1:]),
        SUBSETS,
        *([f"{runs} unless noted{spread}."] if usual else []),
        f"In parentheses: trivial baselines of the whole split. {precision_line(first)}.",
    )
    return Table.of(
        "fractions",
        f"{what}: {protocol_of(first.protocol, first.modified)}",
        columns,
        lines[: len(names)],
        caption,
        footer([record for one in summaries for record in one.records], command, trained=True),
        lines[len(names) :],
        values(COLUMNS, [one for found in results for one in found.values()]),
    )
