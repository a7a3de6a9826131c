"""Accuracy against training time, a circle's area for memory, arrows to the filtered attention."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from attention_zoo.spec import base_of
from lra.measure.memory import HEADLINE_MEMORY, METHODS
from lra.results.captions import (
    Caption,
    conditions_of,
    data_of,
    details_of,
    figure_footer,
    file_name,
    labelled,
)
from lra.results.comparable import Recorded, machine
from lra.results.figures.palette import split
from lra.results.record import Record
from lra.results.summary import Group, Summary, cost_groups
from lra.tasks import get_task


@dataclass(frozen=True)
class Bubble:
    """One attention. accuracy: percent, the mean of n seeds; error: their standard deviation, or
    the binomial standard error of the only one. step_ms: medians of training steps, also seconds
    per 1,000 of them. memory: bytes. base: the attention that an arrow comes from, None where it is
    not drawn."""

    attention: str
    base: str | None
    accuracy: float
    error: float
    n: int
    step_ms: float
    memory: float


@dataclass(frozen=True)
class Level:
    """Test accuracy in percent of a rule that learns nothing, or next to nothing."""

    rule: str
    accuracy: float


@dataclass(frozen=True)
class BubbleChart:
    """What is comparable in accuracy, time and memory. failures: of attentions that have no
    bubble, or fewer seeds for them, in words."""

    caption: Caption
    bubbles: tuple[Bubble, ...]
    levels: tuple[Level, ...]
    failures: tuple[str, ...]

    @property
    def arrows(self) -> list[tuple[Bubble, Bubble]]:
        named = {bubble.attention: bubble for bubble in self.bubbles}
        return [(named[b.base], b) for b in self.bubbles if b.base is not None]


def bubble_charts(records: Iterable[Recorded]) -> list[BubbleChart]:
    """One for each group of runs whose costs may be compared, where any has a result."""
    groups = cost_groups(records)
    return labelled([_chart(group) for group in groups if isinstance(group.first, Record)])


def _chart(group: Group) -> BubbleChart:
    drawn = {name for name, summary in group.attentions.items() if summary.runs}
    bubbles = [_bubble(group.attentions[name], drawn) for name in sorted(drawn)]
    failures = failures_of(group)
    first = group.first
    name = file_name(
        "bubble",
        (group.task, first.data.source, first.protocol.name, first.environment.device),
        (group.conditions, group.column, machine(first)),
    )
    batch = f"batch {first.protocol.training.batch}"
    notes = (
        f"Training step at {batch}, N = {first.measurement.length:,}.",
        f"Area: {METHODS[HEADLINE_MEMORY[first.accelerator]]} of a training step.",
        f"Bars: {bars(bubbles)}.",
        *([f"Without a result: {', '.join(failures)}."] if failures else []),
    )
    title = f"{group.task}, {data_of(first)}, {conditions_of(first)}"
    caption = Caption(name, title, notes, figure_footer(group.records), details_of(first))
    return BubbleChart(caption, tuple(bubbles), levels_of(first), failures)


def _bubble(summary: Summary, drawn: set[str]) -> Bubble:
    base = base_of(summary.attention)
    return Bubble(
        summary.attention,
        base if base in drawn else None,
        summary.mean,
        error_of(summary),
        len(summary.runs),
        summary.step_ms,
        summary.memory,
    )


def error_of(summary: Summary) -> float:
    """The bar of an accuracy: the standard deviation over seeds, binomial where there is one."""
    return summary.error if summary.std is None else summary.std


def bars(points: Iterable[Bubble]) -> str:
    """What the error bars of such points are."""
    several = {point.n > 1 for point in points}
    if several == {True}:
        return "standard deviation over seeds"
    single = "binomial standard error of the one run"
    return single if several == {False} else f"standard deviation over seeds (of one: {single})"


def filters_of(chart: BubbleChart) -> set[str]:
    return {filters for b in chart.bubbles if (filters := split(b.attention)[1])}


def label_of(bubble: Bubble, filters: set[str]) -> str:
    """Its spec; beside an arrow its filters alone, or nothing where the figure has just those."""
    if bubble.base is None:
        return bubble.attention
    return "" if len(filters) == 1 else bubble.attention[len(bubble.base) :]


def round_sizes(sizes: Sequence[float]) -> list[float]:
    """Up to three of 1, 2, 5, 10, …: from among the sizes, or from either side of them."""
    least, most = min(sizes), max(sizes)
    start = math.floor(math.log10(least))
    stop = math.ceil(math.log10(most))
    series = [m * 10.0**d for d in range(start, stop + 1) for m in (1, 2, 5)]
    among = [size for size in series if least <= size <= most]
    if len(among) < 2:
        below = max(size for size in series if size <= least)
        above = min(size for size in series if size >= most)
        among = sorted({below, *among, above})
    return sorted({among[0], among[len(among) // 2], among[-1]})


def failures_of(group: Group) -> tuple[str, ...]:
    """Each attention that has failed runs, with their kinds and seeds."""
    found = []
    for name, summary in group.attentions.items():
        for kind in sorted({failure.kind for failure in summary.failures}):
            seeds = sorted(f.seed for f in summary.failures if f.kind == kind)
            which = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
            found.append(f"{name} ({kind}, {which})")
    return tuple(found)


def levels_of(record: Record) -> tuple[Level, ...]:
    """Chance, and the rules that read one token or none, from the lowest; rules at chance are
    not named again."""
    chance = 100 * get_task(record.task).metadata.chance
    rules = [Level(rule, 100 * share) for rule, share in record.data.baselines.items()]
    above = [level for level in rules if level.accuracy > chance + 0.05]
    return (Level("chance", chance), *sorted(above, key=lambda level: level.accuracy))
