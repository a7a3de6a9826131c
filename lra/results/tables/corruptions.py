"""Tables of accuracy under common corruptions: of one run, and of the runs of a group."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attention_zoo.spec import base_of
from lra.results.captions import bracketed, footer, settings_line, table_title, title
from lra.results.corruptions import Corruptions, Weights, weights_of
from lra.results.numbers import counted, signed
from lra.results.record import Record
from lra.results.statistics import mean, std
from lra.results.summary import Group
from lra.results.table import Column, Table
from lra.results.tables.groups import ORIGIN, TASK, head_lines

tenths = "{:.1f}".format
SCALE = (
    "Corruptions: Hendrycks and Dietterich (2019); severities 1 to 5 of ImageNet-C, harsh on small "
    "images, so not comparable with CIFAR-10-C."
)
Found = Mapping[Weights, Corruptions]
Accuracies = Mapping[tuple[str, int], float]  # percent, by corruption and severity


def accuracies(found: Corruptions) -> Accuracies:
    return {which: 100 * test.accuracy for which, test in found.results.items()}


def severities_of(found: Iterable[tuple[str, int]]) -> list[int]:
    return sorted({severity for _, severity in found})


def corruption_table(
    record: Record, found: Corruptions, wanted: Sequence[tuple[str, int]]
) -> Table:
    """A run: rows corruptions, columns severities and their mean.

    wanted: corruptions and severities, all of which `found` has.
    """
    known = accuracies(found)
    severities, names = severities_of(wanted), list(dict.fromkeys(name for name, _ in wanted))

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
    machines = sorted({session.environment.machine for session in found.sessions})
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
        [*(f"Machine: {line}." for line in machines), *(f"{line}." for line in found.versions)],
        ["mean"] if len(names) > 1 else [],
    )


@dataclass(frozen=True)
class Line:
    """An attention's runs that were evaluated under the same corruptions, by seed."""

    group: Group
    attention: str
    runs: Mapping[int, tuple[Record, Accuracies]]
    base: "Line | None" = None

    def by_seed(self, severity: int | None = None) -> dict[int, float]:
        """Mean over corruptions of one severity, or of all."""
        return {
            seed: mean([x for (_, s), x in found.items() if severity in (None, s)])
            for seed, (_, found) in self.runs.items()
        }

    @property
    def clean(self) -> list[float]:
        return [100 * record.test.accuracy for record, _ in self.runs.values()]

    @property
    def difference(self) -> float | None:
        """Of the means over all corruptions, on the seeds that the base has, too."""
        mine, theirs = self.by_seed(), self.base.by_seed() if self.base else {}
        return mean([mine[seed] - theirs[seed] for seed in mine if seed in theirs])


def corruption_tables(
    groups: Iterable[Group], found: Found, command: str | None = None
) -> list[Table]:
    """One for each group and set of corruptions, severities and versions of their package; an
    attention with filters or remedies follows the one without."""
    return [
        _table(lines, which, versions, command)
        for group in groups
        for (which, versions), lines in corruption_lines(group, found).items()
    ]


def corruption_lines(group: Group, found: Found) -> dict[tuple, list[Line]]:
    """By what their mean is over, and by what computed it."""
    runs: dict[tuple, dict[str, dict[int, tuple[Record, Accuracies]]]] = {}
    for summary in group.attentions.values():
        for seed, record in summary.runs.items():
            one = found.get(weights_of(record))
            if one is not None and (whole := complete(accuracies(one))):
                key = tuple(sorted(whole)), tuple(one.versions)
                by_seed = runs.setdefault(key, {}).setdefault(summary.attention, {})
                by_seed[seed] = record, whole
    return {key: _with_bases(group, by_attention) for key, by_attention in sorted(runs.items())}


def complete(found: Accuracies) -> Accuracies:
    """Of the corruptions that have every severity that any of them has: means over them compare."""
    severities = severities_of(found)
    names = {name for name, _ in found}
    whole = {name for name in names if all((name, severity) in found for severity in severities)}
    return {which: accuracy for which, accuracy in found.items() if which[0] in whole}


def _with_bases(
    group: Group, runs: Mapping[str, Mapping[int, tuple[Record, Accuracies]]]
) -> list[Line]:
    plain = {name: Line(group, name, by_seed) for name, by_seed in runs.items()}
    ordered = sorted(plain, key=lambda name: (name.partition("+")[0], name))
    return [replace(plain[name], base=plain.get(base_of(name))) for name in ordered]


def _columns(severities: Sequence[int], usual: int) -> list[Column[Any]]:
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
    ]


def _table(
    lines: Sequence[Line],
    which: Sequence[tuple[str, int]],
    versions: Sequence[str],
    command: str | None,
) -> Table:
    group = replace(lines[0].group, label=title(lines[0].group.task))
    names = list(dict.fromkeys(name for name, _ in which))
    counts = [len(line.runs) for line in lines]
    usual = max(counts, key=counts.count)
    runs = "Single runs" if usual == 1 else f"Means of n = {usual} runs of different seeds"
    spread = "; ± the standard deviation (n − 1) of several" if max(counts) > 1 else ""
    records = [record for line in lines for record, _ in line.runs.values()]
    caption = (
        *head_lines([group]),
        f"Columns: severities, each the mean over {counted(len(names), 'corruption')}: "
        f"{', '.join(names)}. "
        "Mean: over all. Δ mean: over the attention without its last filter or remedy, in points, "
        "on the seeds that both have.",
        SCALE,
        f"{runs} unless noted{spread}. {settings_line(group.first)}.",
    )
    where = (*footer(records, command, trained=True), *(f"Corruptions: {one}." for one in versions))
    what = f"Test accuracy under corruptions, %, {group.label}"
    columns = _columns(severities_of(which), usual)
    return Table.of(
        "corruptions", table_title(what, group.first, task=True), columns, lines, caption, where
    )
