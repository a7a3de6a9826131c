"""Accuracy against the part of the training split, and against the severity of corruptions."""

from collections.abc import Iterable, Mapping, Sequence

from lra.results.captions import figure_footer, file_name, group_title, protocol_of, title
from lra.results.comparable import Recorded, shared_conditions
from lra.results.corruptions import Corruptions, Weights
from lra.results.figures.chart import Axis, Chart, Panel, Series, log_axis
from lra.results.figures.notes import BARS, error_of, failures_of, levels_of, listed
from lra.results.numbers import counted, figure
from lra.results.record import Record
from lra.results.robustness import Compared, compared, names_of, severities_of
from lra.results.statistics import mean, std
from lra.results.summary import accuracy_groups
from lra.results.tables.corruptions import beside, machines_of
from lra.results.tables.fractions import Fractions, by_fraction, percent

ACCURACY = Axis("test accuracy, %")
Points = Mapping[float, tuple[float, float]]  # by place along x: accuracy and the bar on it


def fraction_charts(records: Iterable[Recorded]) -> list[Chart]:
    """One for each task, data and conditions that have several fractions."""
    charts = (_of_fractions(fractions) for fractions in by_fraction(accuracy_groups(records)))
    return [chart for chart in charts if chart.panels[0].series]


def _of_fractions(fractions: Fractions) -> Chart:
    groups = list(fractions.values())
    first = groups[-1].first
    found: dict[str, dict[float, tuple[float, float]]] = {}
    for fraction, group in fractions.items():
        for name, one in group.attentions.items():
            if one.runs:
                found.setdefault(name, {})[100 * fraction] = one.mean, error_of(one)
    ticks = [(100 * fraction, percent(fraction)) for fraction in fractions]
    axis = log_axis("part of the training split", [x for x, _ in ticks])
    axis = Axis(axis.title, True, ticks, axis.range)
    failures = [
        f"{percent(f)}: {failure}"
        for f, group in fractions.items()
        for failure in failures_of(group)
    ]
    return Chart(
        file_name(
            "fractions",
            (first.task, first.protocol.name),
            (shared_conditions(first), groups[0].column),
        ),
        f"{title(first.task)} by part of the training split, "
        f"{protocol_of(first.protocol, first.modified)}",
        (f"data {first.data.fingerprint[:8]}", f"{first.precision} on {first.accelerator}"),
        [_panel(found, axis, "% of the training split", first)],
        [
            BARS,
            "The same examples for every attention and seed, the smaller part within the larger.",
            *listed("Without a result", failures),
            figure_footer(*groups),
        ],
        f"Test accuracy of {counted(len(found), 'attention')} against how much of the training "
        f"split they saw.{_best(found)}",
    )


def corruption_charts(
    records: Iterable[Recorded], corrupted: Mapping[Weights, Corruptions]
) -> list[Chart]:
    """One for each table of corruptions: the mean over corruptions against severity, 0 for none."""
    groups = accuracy_groups(records)
    return [_of_corruptions(one) for group in groups for one in compared(group, corrupted)]


def _of_corruptions(one: Compared) -> Chart:
    lines, which, versions = one.lines, one.which, one.versions
    group, first = lines[0].group, lines[0].group.first
    names = names_of(which)
    places = [0, *severities_of(which)]
    found = {
        line.attention: {
            place: _over_seeds(line.clean if place == 0 else list(line.by_seed(place).values()))
            for place in places
        }
        for line in lines
    }
    axis = Axis("severity", ticks=[(x, str(x) if x else "clean") for x in places])
    key = (group.conditions, group.column, tuple(which), tuple(versions))
    return Chart(
        file_name("corruptions", (first.task, first.protocol.name), key),
        f"Under corruptions: {group_title(first)}",
        (", ".join(names), *versions, f"data {first.data.fingerprint[:8]}"),
        [_panel(found, axis, "severity", first)],
        [
            "Bars: standard deviation over seeds, where there are several.",
            f"Means over {counted(len(names), 'corruption')}: {', '.join(names)}.",
            *beside(one),
            *(f"Evaluated on: {machine}." for machine in machines_of(one.sessions)),
            figure_footer(group),
        ],
        f"Test accuracy of {counted(len(found), 'attention')} against the severity of corruptions."
        f"{_best(found)}",
    )


def _over_seeds(values: Sequence[float]) -> tuple[float, float]:
    return mean(values), std(values) or 0.0


def _panel(found: Mapping[str, Points], x: Axis, what: str, first: Recorded) -> Panel:
    series = [
        Series(
            name,
            list(points),
            [accuracy for accuracy, _ in points.values()],
            name,
            ([bar for _, bar in points.values()],) * 2,
            joined=True,
            numbers=[
                {what: place, "test accuracy, %": accuracy, "±": bar}
                for place, (accuracy, bar) in points.items()
            ],
        )
        for name, points in sorted(found.items())
    ]
    chance = levels_of(first)["chance"] if isinstance(first, Record) else None
    return Panel(x, ACCURACY, series, {"chance": chance} if chance is not None else {})


def _best(found: Mapping[str, Points]) -> str:
    """Which is highest at the end of the axis."""
    if not found:
        return ""
    last = max(place for points in found.values() for place in points)
    there = {name: points[last][0] for name, points in found.items() if last in points}
    name = max(there, key=there.__getitem__)
    return f" At the right end {name} is highest, at {figure(there[name])} %."
