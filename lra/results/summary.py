"""What the runs of an attention come to, over its seeds."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from attention_zoo.spec import base_of
from lra.measure.memory import headline
from lra.measure.variant import Measurement
from lra.results.comparable import (
    Recorded,
    column,
    comparable_with,
    conditions,
    machine,
    once,
)
from lra.results.record import Failure, Record, learned
from lra.results.statistics import Paired, binomial_error, mean, paired, std


@dataclass(frozen=True)
class Summary:
    """One attention's runs of one group."""

    attention: str
    records: list[Recorded]

    @cached_property
    def runs(self) -> dict[int, Record]:
        """Those with a result, by seed."""
        return {run.seed: run for run in self.records if isinstance(run, Record)}

    @property
    def failures(self) -> list[Failure]:
        return [run for run in self.records if isinstance(run, Failure)]

    @cached_property
    def measured(self) -> list[Measurement]:
        """Of its runs those that were measured."""
        return [run.measurement for run in self.runs.values() if run.measurement]

    @property
    def accuracies(self) -> dict[int, float]:
        """Test accuracy in percent, by seed."""
        return {seed: 100 * run.test.accuracy for seed, run in self.runs.items()}

    @property
    def mean(self) -> float | None:
        return mean(list(self.accuracies.values()))

    @property
    def std(self) -> float | None:
        return std(list(self.accuracies.values()))

    @property
    def error(self) -> float | None:
        """The binomial standard error of one run of the mean accuracy."""
        if not self.runs:
            return None
        return binomial_error(self.mean, next(iter(self.runs.values())).test.count)

    @property
    def learned(self) -> int:
        return sum(map(learned, self.runs.values()))

    @property
    def step_ms(self) -> float | None:
        """Median over seeds of the median training step."""
        return self.median(lambda one: one.training_step.median_ms)

    @property
    def memory(self) -> float | None:
        """Median bytes of a training step, by the device's headline method."""
        return self.median(lambda one: headline(one.memory))

    def median(self, figure: Callable[[Measurement], float | None]) -> float | None:
        """Of the runs that were measured; None where none of them has such a figure."""
        figures = [value for one in self.measured if (value := figure(one)) is not None]
        return statistics.median(figures) if figures else None

    @property
    def failed(self) -> str:
        """How many runs ended without a result, by kind; nothing where all have one."""
        counts = Counter(failure.kind for failure in self.failures)
        return ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts))


@dataclass(frozen=True)
class Group:
    """Summaries that may be compared: in accuracy, and in cost too where `machine` is one.

    conditions, column, machine: what all its records agree in (lra.results.comparable). label: what
    heads it in a table or a figure of several (lra.results.captions).
    """

    conditions: tuple
    column: tuple
    machine: tuple | None
    attentions: dict[str, Summary]
    label: str = ""

    @property
    def records(self) -> list[Recorded]:
        return [record for summary in self.attentions.values() for record in summary.records]

    @property
    def task(self) -> str:
        return self.column[0]

    @cached_property
    def first(self) -> Recorded:
        """Any record, one with a result where there is one, for what all share."""
        return min(self.records, key=lambda record: isinstance(record, Failure))

    @cached_property
    def comparable(self) -> str:
        return comparable_with(self.first)

    def base_of(self, attention: str) -> Summary | None:
        """The attention without its last filter, where it is in this group."""
        return self.attentions.get(base_of(attention))

    def difference(self, attention: str) -> Paired | None:
        """Accuracy over that of the base, on the seeds that both have; None without a base. Never
        separable where neither has learned."""
        summary, base = self.attentions[attention], self.base_of(attention)
        if base is None:
            return None
        filtered, plain = summary.accuracies, base.accuracies
        seeds = [seed for seed in filtered if seed in plain]
        example = 100 / summary.runs[seeds[0]].test.count if seeds else 0.0
        found = paired([filtered[seed] - plain[seed] for seed in seeds], example)
        return replace(found, separable=found.separable and summary.learned + base.learned > 0)


def accuracy_groups(records: Iterable[Recorded]) -> list[Group]:
    """By what is comparable in accuracy, each run once, in the order of their keys."""
    return _grouped(records, lambda record: None)


def cost_groups(records: Iterable[Recorded]) -> list[Group]:
    """By what is comparable in time and memory, each run once a machine."""
    return _grouped(records, machine)


def _grouped(records: Iterable[Recorded], place: Callable[[Recorded], tuple | None]) -> list[Group]:
    found: dict[tuple, dict[str, list[Recorded]]] = {}
    for record in once(records, place):
        key = conditions(record), column(record), place(record)
        found.setdefault(key, {}).setdefault(record.attention, []).append(record)
    return [
        Group(*key, {name: Summary(name, runs) for name, runs in sorted(attentions.items())})
        for key, attentions in sorted(found.items(), key=lambda item: repr(item[0]))
    ]
