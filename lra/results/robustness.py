"""Which runs under corruptions stand beside each other, and in which of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from attention_zoo.spec import base_of
from lra.results.corruptions import Corruptions, Session, Weights, weights_of
from lra.results.record import Record
from lra.results.statistics import mean
from lra.results.summary import Group

Found = Mapping[Weights, Corruptions]
Which = Iterable[tuple[str, int]]  # corruptions with severities
Accuracies = Mapping[tuple[str, int], float]  # percent, by corruption and severity


def accuracies(found: Corruptions) -> Accuracies:
    return {which: 100 * test.accuracy for which, test in found.results.items()}


def severities_of(which: Which) -> list[int]:
    return sorted({severity for _, severity in which})


def names_of(which: Which) -> list[str]:
    return list(dict.fromkeys(name for name, _ in which))


@dataclass(frozen=True)
class Evaluated:
    """A run and what is on record of it under corruptions."""

    record: Record
    found: Corruptions

    @property
    def name(self) -> str:
        return f"{self.record.attention} seed {self.record.seed}"


@dataclass(frozen=True)
class Line:
    """An attention's runs, by seed, under corruptions that all of a table were evaluated under."""

    group: Group
    attention: str
    which: Sequence[tuple[str, int]]
    runs: Mapping[int, Evaluated]
    base: "Line | None" = None

    def by_seed(self, severity: int | None = None) -> dict[int, float]:
        """Mean over corruptions of one severity, or of all."""
        wanted = [one for one in self.which if severity in (None, one[1])]
        return {
            seed: mean([known[one] for one in wanted])
            for seed, run in self.runs.items()
            for known in [accuracies(run.found)]
        }

    @property
    def clean(self) -> list[float]:
        return [100 * run.record.test.accuracy for run in self.runs.values()]

    @property
    def difference(self) -> float | None:
        """Of the means over all corruptions, on the seeds that the base has, too."""
        mine, theirs = self.by_seed(), self.base.by_seed() if self.base else {}
        return mean([mine[seed] - theirs[seed] for seed in mine if seed in theirs])

    @property
    def sessions(self) -> list[Session]:
        """In which these figures were computed."""
        return [
            session
            for run in self.runs.values()
            for session in run.found.sessions
            if any(one.which in self.which for one in session.results)
        ]


@dataclass(frozen=True)
class Compared:
    """Runs of a group with corruptions and severities in common, and one version of the package.

    which: every one of some corruptions at every one of some severities, so that means over
    corruptions compare. left_out: what any of these runs has besides. gaps: the runs for whose lack
    of results it is left out. apart: the runs of the group that have nothing in common with these,
    or were evaluated by other versions.
    """

    lines: Sequence[Line]
    which: Sequence[tuple[str, int]]
    versions: Sequence[str]
    left_out: Sequence[tuple[str, int]]
    gaps: Sequence[str]
    apart: Sequence[str]

    @property
    def records(self) -> list[Record]:
        return [run.record for line in self.lines for run in line.runs.values()]

    @property
    def sessions(self) -> list[Session]:
        return [session for line in self.lines for session in line.sessions]


def compared(group: Group, found: Found) -> list[Compared]:
    """As few as there can be: runs are apart only where they must be."""
    runs = [
        Evaluated(record, one)
        for summary in group.attentions.values()
        for record in summary.runs.values()
        if (one := found.get(weights_of(record))) and one.results
    ]
    return [_compared(group, runs, cluster) for cluster in _clusters(runs)]


def _clusters(runs: Sequence[Evaluated]) -> list[list[Evaluated]]:
    """The run with the most results first, each other with the first with which it shares any."""
    clusters: list[list[Evaluated]] = []
    for run in sorted(runs, key=lambda one: (-len(one.found.results), one.name)):
        for cluster in clusters:
            same = cluster[0].found.versions == run.found.versions
            if same and _common([*cluster, run]):
                cluster.append(run)
                break
        else:
            clusters.append([run])
    return clusters


def _common(runs: Sequence[Evaluated]) -> set[tuple[str, int]]:
    return set.intersection(*(set(run.found.results) for run in runs))


def _compared(group: Group, runs: Sequence[Evaluated], cluster: Sequence[Evaluated]) -> Compared:
    which = rectangle(_common(cluster))
    known = {one for run in cluster for one in run.found.results}
    whole = {(name, severity) for name in names_of(known) for severity in severities_of(known)}
    by_attention: dict[str, dict[int, Evaluated]] = {}
    for run in sorted(cluster, key=lambda one: one.record.seed):
        by_attention.setdefault(run.record.attention, {})[run.record.seed] = run
    plain = {name: Line(group, name, which, of) for name, of in by_attention.items()}
    ordered = sorted(plain, key=lambda name: (name.partition("+")[0], name))
    return Compared(
        [replace(plain[name], base=plain.get(base_of(name) or "")) for name in ordered],
        which,
        cluster[0].found.versions,
        sorted(known - set(which)),
        sorted(run.name for run in cluster if whole - set(run.found.results)),
        sorted({run.name for run in runs} - {run.name for run in cluster}),
    )


def rectangle(which: Which) -> list[tuple[str, int]]:
    """The most of these that are some corruptions, each at all of some severities; of as many,
    those with more severities, then with lower ones."""
    there = set(which)
    severities = severities_of(there)
    best: list[tuple[str, int]] = []
    for n in range(len(severities), 0, -1):
        for chosen in combinations(severities, n):
            names = sorted(
                {name for name, _ in there if all((name, severity) in there for severity in chosen)}
            )
            if len(names) * n > len(best):
                best = [(name, severity) for name in names for severity in chosen]
    return best
