"""How far a run's filter is from the true power, as `analyze` left it beside the record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from attention_zoo import parse_spec
from attention_zoo.registry import FILTERS
from lra.results.analysis import Head, Subset, read_analysis
from lra.results.numbers import counted
from lra.results.record import Record
from lra.results.sweeps import Sweep

LEFT_OUT = (
    "runs analysed on other examples or tokens are left out: `analyze` all with the same "
    "--examples and --length"
)


@dataclass(frozen=True)
class Distance:
    """‖T_K(Ā) − Āᴷ‖₂ of a run, mean over layers and heads, on a subset of the examples. filters: by
    the name of a filter, of the last of that name."""

    subset: Subset
    filters: Mapping[str, float]


Distances = Mapping[int, Distance]  # by id of a record


def taylor_distance(folder: Path, record: Record) -> Distance | None:
    """None where the run was not analysed or other weights of it were, and where no filter has both
    forms on Ā itself with finite distances. UsageError names a file that cannot be read."""
    if (found := read_analysis(folder, record)) is None:
        return None
    heads = [head for layer in found.layers for head in layer.heads]
    names = [part.name for part in parse_spec(record.attention).filters]
    classes = [FILTERS.get(name).cls.__name__ for name in names]
    pairs = zip(names, classes, strict=True)
    means = {name: _mean(heads, of, classes.count(of)) for name, of in pairs}
    known = {name: distance for name, distance in means.items() if distance is not None}
    return Distance(found.subset, known) if known else None


def _mean(heads: Sequence[Head], filter_class: str, count: int) -> float | None:
    """Of the last of as many filters of a class, which others stand on in some layers."""
    states = [[one for one in head.filters if one.name == filter_class] for head in heads]
    gaps = [of[-1].gap for of in states if len(of) == count]
    distances = [gap.distance for gap in gaps if gap]
    known = [one for one in distances if one is not None]
    return fmean(known) if known and len(known) == len(distances) else None


@dataclass(frozen=True)
class Apart:
    """Distances of a sweep's filter on one subset, that of the most runs.

    known: by attention, means over its runs. others: attentions of which runs were analysed on
    another subset, which are left out.
    """

    subset: Subset | None
    known: Mapping[str, float]
    others: Sequence[str]

    @classmethod
    def of(cls, sweep: Sweep, distances: Distances) -> "Apart":
        found = {
            name: [
                one
                for run in sweep.group.attentions[name].records
                if (one := distances.get(id(run))) and sweep.filter in one.filters
            ]
            for name in sweep.names
        }
        counts = Counter(one.subset for runs in found.values() for one in runs)
        if not counts:
            return cls(None, {}, [])
        subset = max(counts, key=lambda one: (counts[one], one.tokens, repr(one)))
        on_it = {
            name: [one.filters[sweep.filter or ""] for one in runs if one.subset == subset]
            for name, runs in found.items()
        }
        known = {name: fmean(of) for name, of in on_it.items() if of}
        others = sorted(name for name, runs in found.items() if len(runs) > len(on_it[name]))
        return cls(subset, known, others)

    @property
    def words(self) -> str:
        """The subset."""
        if (one := self.subset) is None:
            return ""
        cut = f", each sequence cut to {one.length:,}" if one.length else ""
        examples = counted(one.examples, "example")
        return f"{examples} of the validation split (seed {one.seed}), {one.tokens:,} tokens{cut}"
