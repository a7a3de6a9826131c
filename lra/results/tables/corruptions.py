"""Tables of accuracy under common corruptions: of one run, and of the runs of a group."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lra.results.captions import bracketed, footer, settings_line, table_title, title
from lra.results.corruptions import Corruptions, Session
from lra.results.numbers import counted, signed
from lra.results.record import Record
from lra.results.robustness import (
    Compared,
    Found,
    Line,
    accuracies,
    compared,
    names_of,
    severities_of,
)
from lra.results.statistics import mean, std
from lra.results.summary import Group
from lra.results.table import Column, Table
from lra.results.tables.groups import ORIGIN, TASK, head_lines

tenths = "{:.1f}".format
SCALE = (
    "Corruptions: Hendrycks and Dietterich (2019); severities 1 to 5 of ImageNet-C, harsh on small "
    "images, so not comparable with CIFAR-10-C."
)


def corruption_table(
    record: Record, found: Corruptions, wanted: Sequence[tuple[str, int]]
) -> Table:
    """A run: rows corruptions, columns severities and their mean.

    wanted: corruptions and severities, all of which `found` has.
    """
    known = accuracies(found)
    severities, names = severities_of(wanted), names_of(wanted)

    def at(name: str, which: Sequence[int]) -> float:
        return sum(known[name, severity] for severity in which) / len(which)

    def of(row: str, which: Sequence[int]) -> float:
        rows = names if row == "mean" else [row]
        return sum(at(name, which) for name in rows) / len(rows)

    columns = [Column[str]("corruption", lambda row: row)]
    columns += [
        Column(str(s), lambda row, s=s: of(row, [s]), format=tenths, key=f"severity {s}")
        for s in severities
    ]
    columns.append(Column("mean", lambda row: of(row, severities), format=tenths))
    test = record.test
    return Table.of(
        "corruptions",
        table_title(
            f"Test accuracy, %, by corruption and severity, {record.task} {record.attention} seed "
            f"{record.seed}",
            record,
            task=True,
        ),
        columns,
        names,
        (
            f"Without corruption: {100 * test.accuracy:.1f} of {test.count:,} examples (one run: "
            f"s.e. {100 * test.standard_error:.1f}).",
            SCALE,
        ),
        [
            *(f"Machine: {line}." for line in machines_of(found.sessions)),
            *(f"{line}." for line in found.versions),
        ],
        ["mean"] if len(names) > 1 else [],
    )


def corruption_tables(
    groups: Iterable[Group], found: Found, command: str | None = None
) -> list[Table]:
    """One for each group, of what its runs have in common; several where they have nothing, or
    other versions computed it. An attention with filters or remedies follows the one without."""
    return [_table(one, command) for group in groups for one in compared(group, found)]


def _columns(severities: Sequence[int], usual: int, one: Compared) -> list[Column[Any]]:
    def over(line: Line, severity: int | None = None) -> list[float]:
        return list(line.by_seed(severity).values())

    def spread(values: Sequence[float]) -> str:
        return "" if (found := std(list(values))) is None else f" ± {found:.1f}"

    def count(line: Line) -> str:
        return bracketed(f"n={len(line.runs)}" if len(line.runs) != usual else "")

    return [
        replace(TASK, shown=False),
        Column("attention", lambda line: line.attention, more=count),
        Column("n", lambda line: len(line.runs), shown=False),
        Column(
            "clean",
            lambda line: mean(line.clean),
            format=tenths,
            more=lambda line: spread(line.clean),
            best=max,
        ),
        *(
            Column(
                str(s),
                lambda line, s=s: mean(over(line, s)),
                format=tenths,
                more=lambda line, s=s: spread(over(line, s)),
                best=max,
                key=f"severity {s}",
            )
            for s in severities
        ),
        Column(
            "mean",
            lambda line: mean(over(line)),
            format=tenths,
            more=lambda line: spread(over(line)),
            best=max,
        ),
        Column("Δ mean", lambda line: line.difference, format=signed, key="difference"),
        *ORIGIN,
        Column("corruptions", lambda line: ";".join(names_of(one.which)), shown=False),
        Column("corruption_versions", lambda line: "; ".join(one.versions), shown=False),
        Column("evaluated_on", lambda line: "; ".join(machines_of(line.sessions)), shown=False),
    ]


def _table(one: Compared, command: str | None) -> Table:
    lines, which, group = one.lines, one.which, one.lines[0].group
    group = replace(group, label=title(group.task))
    names, severities = names_of(which), severities_of(which)
    counts = [len(line.runs) for line in lines]
    usual = max(counts, key=counts.count)
    runs = "Single runs" if usual == 1 else f"Means of n = {usual} runs of different seeds"
    spread = "; ± the standard deviation (n − 1) of several" if max(counts) > 1 else ""
    caption = (
        *head_lines([group]),
        f"Columns: severities, each the mean over {counted(len(names), 'corruption')}: "
        f"{', '.join(names)}. "
        "Mean: over all. Δ mean: over the attention without its last filter or remedy, in points, "
        "on the seeds that both have.",
        *beside(one),
        SCALE,
        f"{runs} unless noted{spread}. {settings_line(group.first)}.",
    )
    where = (
        *footer(one.records, command, trained=True),
        *(f"Evaluated on: {machine}." for machine in machines_of(one.sessions)),
        *(f"Corruptions: {version}." for version in one.versions),
    )
    what = f"Test accuracy under corruptions, %, {group.label}"
    columns = _columns(severities, usual, one)
    return Table.of(
        "corruptions", table_title(what, group.first, task=True), columns, lines, caption, where
    )


def beside(one: Compared) -> list[str]:
    """What is on record and not among the figures, and in what these may differ besides."""
    said = []
    if one.left_out:
        severities: dict[str, list[int]] = {}
        for name, severity in one.left_out:
            severities.setdefault(name, []).append(severity)
        alike: dict[str, list[str]] = {}
        for name, of in severities.items():
            alike.setdefault(", ".join(map(str, of)), []).append(name)
        which = "; ".join(f"{', '.join(names)} ({of})" for of, names in alike.items())
        said.append(
            f"Left out, so that all means are over the same corruptions (severities): {which}. "
            "To fill the gaps: `python run_lra.py evaluate RUN --corruption all` for "
            f"{', '.join(one.gaps)}."
        )
    if one.apart:
        said.append(
            "Not here: runs with no corruption and severity in common with these, or evaluated by "
            f"other versions: {', '.join(one.apart)}."
        )
    if len(kinds := accelerators_of(one.sessions)) > 1:
        said.append(f"Evaluated on {' and '.join(kinds)}: rounding may change single answers.")
    return said


def machines_of(sessions: Iterable[Session]) -> list[str]:
    return sorted({f"{one.environment.machine} ({one.accelerator})" for one in sessions})


def accelerators_of(sessions: Iterable[Session]) -> list[str]:
    return sorted({one.accelerator for one in sessions})
