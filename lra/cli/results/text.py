"""One run's record as people read it."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from lra.results.comparable import Recorded
from lra.results.curves import COLUMNS, read_curve
from lra.results.details import Section, filter_rows, sections
from lra.results.layout import ANALYSIS, CORRUPTIONS
from lra.results.record import FilterWeights, Record

LAST = 5  # rows of the curve
BESIDE = {
    ANALYSIS: "of `analyze`; `figure weights`, … and `report` draw it",
    CORRUPTIONS: "of `evaluate --corruption`; `table corruptions` prints it",
}
ENTRIES = 16  # of a parameter, which are shown one by one


def shown_json(record: Recorded) -> str:
    return json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False)


def shown(folder: Path, record: Recorded) -> str:
    """Sections of `name: value`, then the filters' weights and the end of the learning curve."""
    found = sections(record)
    found["run"] = {"folder": str(folder)} | found["run"]
    lines = [line for title, values in found.items() for line in section(title, values)]
    if isinstance(record, Record):
        lines += [*filter_weights(record.filters), *curve(folder), *beside(folder)]
    return "\n".join([*lines, "repeat it with", f"  {record.command}"])


def beside(folder: Path) -> Iterator[str]:
    """What other commands left in the run's folder."""
    found = [name for name in BESIDE if (folder / name).exists()]
    yield from ["besides", *(f"  {name}  {BESIDE[name]}" for name in found), ""] if found else []


def section(title: str, values: Section) -> Iterator[str]:
    yield title
    width = max(map(len, values))
    yield from (f"  {name:<{width}}  {value}" for name, value in values.items())
    yield ""


def filter_weights(weights: FilterWeights) -> Iterator[str]:
    """initial → learned: each entry of a parameter in its order, or what sums up many."""
    rows = filter_rows(weights)
    if not rows:
        return
    yield "filters"
    for (layer, place, name), entries in groupby(rows, key=itemgetter("layer", "filter", "weight")):
        before, after = zip(*map(itemgetter("initial", "learned"), entries), strict=True)
        yield f"  layer {layer}, filter {place}  {name}  {change(before, after)}"
    yield ""


def change(before: Sequence[float], after: Sequence[float]) -> str:
    if len(before) > ENTRIES:
        return f"{len(before):,} entries: {summary(before)} → {summary(after)}"
    return ", ".join(f"{a:.4g} → {b:.4g}" for a, b in zip(before, after, strict=True))


def summary(values: Sequence[float]) -> str:
    finite = [x for x in values if math.isfinite(x)]
    words = []
    if finite:
        mean = math.fsum(finite) / len(finite)
        words.append(f"mean {mean:.4g} ({min(finite):.4g} to {max(finite):.4g})")
    if len(finite) < len(values):
        words.append(f"{len(values) - len(finite):,} not finite")
    return ", ".join(words)


def curve(folder: Path) -> Iterator[str]:
    found = read_curve(folder)
    yield "learning curve"
    if found.missing:
        yield f"  none: {found.missing}"
    else:
        yield "  " + "  ".join(f"{name:>14}" for name in COLUMNS)
        for point in found.points[-LAST:]:
            cells = ["" if value is None else f"{value:.6g}" for value in vars(point).values()]
            yield "  " + "  ".join(f"{cell:>14}" for cell in cells)
    yield ""
