"""The table of pairs: an attention with a filter against itself without."""

from collections.abc import Iterable, Sequence

from attention_zoo.spec import base_of
from lra.measure.memory import HEADLINE_MEMORY, METHODS
from lra.results.captions import (
    comparable_lines,
    data_line,
    footer,
    group_numbers,
    in_order,
    machine_line,
    settings_line,
    table_title,
)
from lra.results.numbers import signed
from lra.results.statistics import LEVEL, Paired
from lra.results.summary import Group, Summary
from lra.results.table import MISSING, Cell, Table
from lra.results.tables.cells import failed, notes_of, over_softmax

Where = tuple[tuple, tuple]  # conditions, column


def pair_tables(
    groups: Iterable[Group], costs: Iterable[Group], command: str | None = None
) -> list[Table]:
    """One for each set of conditions that has a pair; a row a pair, task and machine.

    groups, costs: as `accuracy_groups` and `cost_groups` make them of the same records.
    """
    by_conditions: dict[tuple, list[Group]] = {}
    for group in groups:
        if any(group.base_of(name) for name in group.attentions):
            by_conditions.setdefault(group.conditions, []).append(group)
    by_place: dict[Where, list[Group]] = {}
    for cost in costs:
        by_place.setdefault((cost.conditions, cost.column), []).append(cost)
    return [_table(in_order(part), by_place, command) for part in by_conditions.values()]


def _table(
    columns: Sequence[tuple[str, Group]], costs: dict[Where, list[Group]], command: str | None
) -> Table:
    found = [
        (label, group, name, group.difference(name), cost)
        for label, group in columns
        for name in group.attentions
        if group.base_of(name)
        for cost in _machines(costs.get((group.conditions, group.column), []), name)
    ]
    several = len({cost.machine for *_, cost in found if cost}) > 1
    rows = [
        (
            Cell(label, label),
            Cell(name, name),
            *_difference(paired, remarks(group, name)),
            *_costs(name, cost, group),
            *([_machine(cost)] if several else []),
        )
        for label, group, name, paired, cost in found
    ]
    records = [
        record
        for _, group, name, _, cost in found
        for part in (group, cost)
        if part is not None
        for summary in (part.attentions[name], part.base_of(name))
        for record in (*summary.runs.values(), *summary.failures)
    ]
    first = found[0][1].first
    return Table(
        kind="pairs",
        title=table_title("With a filter against without", first),
        columns=(
            *("task", "attention", "Δ accuracy", "95 % interval", "n"),
            *("× time", "× memory", "+ parameters", "over softmax %"),
            *(["machine"] if several else []),
        ),
        rows=tuple(rows),
        caption=(
            *comparable_lines(columns),
            *(data_line(label, group) for label, group in columns),
            "Δ: test accuracy over that of the attention without its last filter, in points, mean "
            "of the n seeds that both have. Interval: of that mean, percentile bootstrap over "
            "pairs (every resample of up to 6 pairs, 20,000 of more). Not separable: that "
            "interval or Student's covers zero, there are fewer than three pairs, or neither side "
            "learned. In brackets: runs that did not learn or have no result.",
            f"× time: of a training step; × memory: {METHODS[HEADLINE_MEMORY[first.accelerator]]} "
            "of a training step; medians over the runs of one machine. "
            f"{settings_line(first)}.",
        ),
        footer=footer(records, command),
        notes=notes_of(rows),
        numbers=tuple(_numbers(*part[1:]) for part in found),
    )


def _machines(costs: Sequence[Group], name: str) -> list[Group | None]:
    """The machines on which both of a pair were run; None where there is none."""
    return [cost for cost in costs if all(_both(cost, name))] or [None]


def _both(cost: Group | None, name: str) -> tuple[Summary | None, Summary | None]:
    """The pair's runs on a machine, None for one that has no result there."""
    if cost is None:
        return None, None
    pair = cost.attentions.get(name), cost.base_of(name)
    return tuple(one if one is not None and one.runs else None for one in pair)


def remarks(group: Group, name: str) -> str:
    """What a Δ leaves out: runs of either side that did not learn or have no result."""
    said = []
    for summary in (group.base_of(name), group.attentions[name]):
        n, lost = len(summary.runs), failed(summary.failures)
        parts = [f"{summary.learned} of {n} learned"] if summary.learned < n else []
        parts += [lost] if lost else []
        said += [f"{summary.attention}: {', '.join(parts)}"] if parts else []
    return "; ".join(said)


def _difference(paired: Paired, said: str) -> tuple[Cell, Cell, Cell]:
    n = Cell(f"{paired.n}" + (f" ({said})" if said else ""), paired.n)
    if paired.mean is None:
        return Cell(MISSING), Cell(MISSING), n
    interval = MISSING
    if paired.interval is not None:
        interval = " to ".join(signed(end) for end in paired.interval)
    verdict = "" if paired.separable else ", not separable"
    return (
        Cell(signed(paired.mean), paired.mean),
        Cell(interval + verdict, "separable" if paired.separable else "not separable"),
        n,
    )


def _ratios(name: str, cost: Group | None) -> tuple[float | None, float | None]:
    """Time and memory of a training step over those of the base."""
    filtered, base = _both(cost, name)
    if filtered is None or base is None:
        return None, None
    return filtered.step_ms / base.step_ms, filtered.memory / base.memory


def _parameters(name: str, group: Group) -> tuple[int | None, float | None]:
    """Parameters more than the base's; in percent of the softmax model's, more than that has."""
    filtered, base = group.attentions[name], group.base_of(name)
    if not filtered.runs:
        return None, None
    model = next(iter(filtered.runs.values())).measurement
    if not base.runs:
        return None, model.over_softmax
    more = model.parameters - next(iter(base.runs.values())).measurement.parameters
    return more, model.over_softmax


def _costs(name: str, cost: Group | None, group: Group) -> tuple[Cell, ...]:
    more, over = _parameters(name, group)
    ratios = [
        Cell(MISSING if ratio is None else f"{ratio:.2f}", ratio) for ratio in _ratios(name, cost)
    ]
    return *ratios, Cell(MISSING if more is None else f"{more:,}", more), over_softmax(over)


def _machine(cost: Group | None) -> Cell:
    if cost is None:
        return Cell(MISSING)
    return Cell(machine_line(cost.first), machine_line(cost.first))


def _numbers(group: Group, name: str, paired: Paired, cost: Group | None) -> dict[str, object]:
    time, memory = _ratios(name, cost)
    more, over = _parameters(name, group)
    low, high = paired.interval or (None, None)
    return {
        "task": group.task,
        "attention": name,
        "base": base_of(name),
        "n": paired.n,
        "remarks": remarks(group, name) or None,
        "difference": paired.mean,
        "low": low,
        "high": high,
        "level": LEVEL,
        "separable": paired.separable,
        "times": time,
        "memories": memory,
        "more parameters": more,
        "over softmax %": over,
        **group_numbers(group if cost is None else cost),
    }
