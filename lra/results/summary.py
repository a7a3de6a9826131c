"""What the runs of an attention come to, over its seeds."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from attention_zoo.spec import base_of
from lra.measure.memory import HEADLINE_MEMORY
from lra.results.comparable import Recorded, column, conditions, machine, once
from lra.results.record import Failure, Record, learned
from lra.results.statistics import Paired, binomial_error, mean, paired, std


@dataclass(frozen=True)
class Summary:
    """One attention's runs of one group: those with a result by seed, and those without."""

    attention: str
    runs: dict[int, Record]
    failures: tuple[Failure, ...]

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
        return self._median(lambda run: run.measurement.training_step.median_ms)

    @property
    def memory(self) -> float | None:
        """Median bytes of a training step, by the device's headline method."""
        return self._median(lambda run: run.measurement.memory[HEADLINE_MEMORY[run.accelerator]])

    def _median(self, figure: object) -> float | None:
        return statistics.median(map(figure, self.runs.values())) if self.runs else None


@dataclass(frozen=True)
class Group:
    """Summaries that may be compared: in accuracy, and in cost too where `machine` is one.

    conditions, column, machine: what all its records agree in (lra.results.comparable).
    """

    conditions: tuple
    column: tuple
    machine: tuple | None
    attentions: dict[str, Summary]

    @property
    def records(self) -> list[Recorded]:
        return [
            record
            for summary in self.attentions.values()
            for record in (*summary.runs.values(), *summary.failures)
        ]

    @property
    def task(self) -> str:
        return self.column[0]

    @cached_property
    def first(self) -> Recorded:
        """Any record, one with a result where there is one, for what all share."""
        return min(self.records, key=lambda record: isinstance(record, Failure))

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
    return _grouped(once(records), with_machine=False)


def cost_groups(records: Iterable[Recorded]) -> list[Group]:
    """By what is comparable in time and memory, each run once a machine."""
    by_machine: dict[tuple, list[Recorded]] = {}
    for record in records:
        by_machine.setdefault(machine(record), []).append(record)
    return _grouped(
        [record for part in by_machine.values() for record in once(part)], with_machine=True
    )


def _grouped(records: Iterable[Recorded], with_machine: bool) -> list[Group]:
    found: dict[tuple, dict[str, tuple[dict[int, Record], list[Failure]]]] = {}
    for record in records:
        key = conditions(record), column(record), machine(record) if with_machine else None
        runs, failures = found.setdefault(key, {}).setdefault(record.attention, ({}, []))
        if isinstance(record, Record):
            runs[record.seed] = record
        else:
            failures.append(record)
    return [
        Group(
            *key,
            {
                name: Summary(name, runs, tuple(failures))
                for name, (runs, failures) in sorted(attentions.items())
            },
        )
        for key, attentions in sorted(found.items(), key=lambda item: repr(item[0]))
    ]
