"""Analyses in groups that may be compared, and what figures of them have in common."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lra.results.analysis import Analysis, Head, Layer, Numbers
from lra.results.captions import details_of, figure_footer, file_name, group_title
from lra.results.comparable import Recorded
from lra.results.figures.chart import Axis, Chart, Panel, Series
from lra.results.figures.notes import listed
from lra.results.numbers import counted
from lra.results.record import Record
from lra.results.summary import Group, Summary, accuracy_groups

Analyzed = tuple[Recorded, Analysis | None]
LEAST = 1e-6  # of a logarithmic axis: what is less is rounding
TICKS = 12  # that find room along the width of a figure
MOST = 4  # layers that are drawn side by side


@dataclass(frozen=True)
class Analyses:
    """Those of one group, by attention, in the order of their seeds. group: of these runs alone;
    without: attentions of which no run was analyzed."""

    group: Group
    of: dict[str, list[Analysis]]
    without: list[str]

    @cached_property
    def layers(self) -> list[int]:
        """The numbers of the layers that are drawn: all, or MOST evenly from the first to the
        last."""
        count = max(len(one.layers) for several in self.of.values() for one in several)
        return np.unique(np.linspace(1, count, min(count, MOST)).round().astype(int)).tolist()

    def layers_of(self, attention: str, number: int) -> list[Layer]:
        """The layer of that number of every seed that has one."""
        found = self.of[attention]
        return [one.layers[number - 1] for one in found if len(one.layers) >= number]

    def chart(
        self, kind: str, title: str, panels: Sequence[Panel], notes: Sequence[str], summary: str
    ) -> Chart:
        first = self.group.first
        words = (self.group.task, first.data.source, first.protocol.name)
        return Chart(
            file_name(kind, words, (self.group.conditions, self.group.column)),
            f"{title}: {group_title(first)}",
            details_of(first)[1:],
            panels,
            [
                *notes,
                subset_note([one for several in self.of.values() for one in several]),
                *listed("Not analyzed", self.without),
                figure_footer(self.group),
            ],
            summary,
        )


def analyses_of(runs: Iterable[Analyzed]) -> list[Analyses]:
    """One for each task, data and protocol of which any run was analyzed."""
    known = {id(record): (record, found) for record, found in runs}
    charts = []
    for group in accuracy_groups(record for record, _ in known.values()):
        shown: dict[str, list[Record]] = {}
        for record in group.records:
            if isinstance(record, Record) and known[id(record)][1] is not None:
                shown.setdefault(record.attention, []).append(record)
        if shown:
            summaries = {name: Summary(name, records) for name, records in shown.items()}
            of = {name: [known[id(one)][1] for one in records] for name, records in shown.items()}
            without = [name for name in group.attentions if name not in shown]
            charts.append(Analyses(replace(group, attentions=summaries), of, without))
    return charts


def subset_note(found: Sequence[Analysis]) -> str:
    """Which examples these looked at, and on which machines."""
    subsets = sorted(
        {
            counted(one.subset.examples, "validation example")
            + f" {one.subset.cut}" * bool(one.subset.cut)
            for one in found
        }
    )
    machines = ", ".join(sorted({one.environment.machine for one in found}))
    several = "different subsets: " * (len(subsets) > 1)
    return f"Analyzed on {several}{'; '.join(subsets)}. Machine of the analysis: {machines}."


def mean_at(
    layers: Iterable[Layer], places: Callable[[Layer], list[Any]], values: Callable[[Head], Numbers]
) -> dict[float, float]:
    """A curve's mean over heads and seeds, at the places that all seeds have and it is finite."""
    curves = []
    for layer in layers:
        heads = np.array([values(head) for head in layer.heads], dtype=float)  # nan for None
        curves.append(dict(zip(places(layer), heads.mean(0).tolist(), strict=True)))
    return mean_of(curves)


def mean_of(curves: Sequence[Mapping[float, float | None]]) -> dict[float, float]:
    """At the places that all curves have and where their mean is finite."""
    common = set.intersection(*map(set, curves)) if curves else set()
    found = {at: np.mean([np.nan if c[at] is None else c[at] for c in curves]) for at in common}
    return {at: float(found[at]) for at in sorted(found) if math.isfinite(found[at])}


def narrow(axis: Axis, panels: int) -> Axis:
    """An axis with as many ticks as find room along a panel, one of so many side by side."""
    most = max(3, TICKS // panels)
    step = -(-len(axis.ticks) // most)
    return replace(axis, ticks=axis.ticks[::-step][::-1]) if step > 1 else axis


def line(
    attention: str, points: dict[float, float], numbers: Sequence[Mapping[str, float | None]] = ()
) -> Series:
    return Series(attention, [*points], [*points.values()], attention, joined=True, numbers=numbers)
