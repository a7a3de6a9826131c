"""The table of costs: one for each task, setting and machine."""

import statistics
from collections.abc import Callable, Iterable

from lra.measure.memory import METHODS
from lra.measure.timing import WIDE, Timing
from lra.measure.variant import Measurement
from lra.results.captions import (
    batch_of,
    footer,
    group_numbers,
    heading,
    place,
    settings_line,
    table_title,
    title,
)
from lra.results.numbers import figure
from lra.results.record import Record
from lra.results.summary import Group, Summary
from lra.results.table import MISSING, Cell, Table
from lra.results.tables.cells import (
    SPREAD,
    failed,
    notes_of,
    number,
    over_softmax,
    with_best,
)


def cost_tables(costs: Iterable[Group], command: str | None = None) -> list[Table]:
    """One for each group, as `cost_groups` makes them; those without any result have none."""
    return [
        _table(group, command)
        for group in sorted(costs, key=lambda group: place(group.task))
        if any(summary.runs for summary in group.attentions.values())
    ]


def _table(group: Group, command: str | None) -> Table:
    methods = list(
        dict.fromkeys(
            method
            for summary in group.attentions.values()
            for run in summary.runs.values()
            for method in run.measurement.memory
        )
    )
    memories = [f"{METHODS.get(method, method)} GB" for method in methods]
    rows = [_row(summary, methods) for summary in group.attentions.values()]
    smaller = [2, 3, 5, *range(6, 6 + len(methods))]
    rows = with_best(with_best(rows, smaller, min), [4], max)
    first, shared = group.first, group_numbers(group)
    return Table(
        kind="cost",
        title=table_title(
            f"Cost of training, {title(group.task)}, N = {first.protocol.task.max_len:,}, batch "
            f"{batch_of(first.protocol, first.micro_batch)}",
            first,
            task=True,
        ),
        columns=(
            *("attention", "n", "step ms", "forward ms", "examples/s", "s/1,000 steps"),
            *memories,
            *("GFLOP/step", "parameters", "over softmax %"),
        ),
        rows=tuple(rows),
        caption=(
            heading(first),
            "Medians over n runs of a training step (forward, backward, optimiser; p20–p80) and "
            "of a forward pass; nothing padded, no loader. Memory: of one training step, a column "
            f"a method. {settings_line(first)}.",
        ),
        footer=footer(group.records, command),
        notes=notes_of(rows),
        numbers=tuple(_numbers(group.task, one) | shared for one in group.attentions.values()),
    )


def _row(summary: Summary, methods: list[str]) -> tuple[Cell, ...]:
    """Figures of a summary; a dash and how its runs ended where none has a result."""
    name = Cell(summary.attention, summary.attention)
    n = Cell(str(len(summary.runs)), len(summary.runs))
    ended = failed(summary.failures)
    if not summary.runs:
        return name, n, Cell(f"{MISSING} ({ended})"), *[Cell(MISSING)] * (6 + len(methods))
    figures = _medians(summary, methods)
    return (
        name,
        Cell(f"{n.text} ({ended})", n.value) if ended else n,
        _timing(summary, lambda run: run.training_step),
        _timing(summary, lambda run: run.forward),
        number(figures["examples/s"]),
        number(figures["s/1,000 steps"]),
        *(
            Cell(MISSING) if size is None else Cell(figure(size / 1e9), size / 1e9)
            for size in (figures[method] for method in methods)
        ),
        number(figures["GFLOP/step"]),
        number(figures["parameters"]),
        over_softmax(figures["over softmax %"]),
    )


def _timing(summary: Summary, timing: Callable[[Measurement], Timing]) -> Cell:
    """The median with p20 and p80, each the median over runs."""
    times = [timing(run.measurement) for run in summary.runs.values()]
    medians = [time.median_ms for time in times]
    middle, low, high = (
        statistics.median(values)
        for values in (medians, [time.p20_ms for time in times], [time.p80_ms for time in times])
    )
    wide = max(high - low, max(medians) - min(medians)) > WIDE * middle
    text = f"{figure(middle)} ({figure(low)}–{figure(high)})"
    return Cell(text, middle, notes=(SPREAD,) if wide else ())


def _medians(summary: Summary, methods: Iterable[str]) -> dict[str, float | None]:
    measured = [run.measurement for run in summary.runs.values()]
    figures = {
        "examples/s": [one.examples_per_second for one in measured],
        "s/1,000 steps": [one.seconds_per_1000_steps for one in measured],
        "GFLOP/step": [one.training_flops / 1e9 for one in measured],
        "parameters": [one.parameters for one in measured],
        "over softmax %": [one.over_softmax for one in measured],
    }
    for method in methods:
        figures[method] = [one.memory[method] for one in measured if method in one.memory]
    return {key: statistics.median(values) if values else None for key, values in figures.items()}


def _numbers(task: str, summary: Summary) -> dict[str, object]:
    runs: list[Record] = list(summary.runs.values())
    numbers = {
        "task": task,
        "attention": summary.attention,
        "n": len(runs),
        "failed": failed(summary.failures) or None,
    }
    if runs:
        for what, timings in (
            ("step", [run.measurement.training_step for run in runs]),
            ("forward", [run.measurement.forward for run in runs]),
        ):
            for part in ("median_ms", "p20_ms", "p80_ms"):
                values = [getattr(timing, part) for timing in timings]
                numbers[f"{what} {part.replace('_', ' ')}"] = statistics.median(values)
        methods = dict.fromkeys(method for run in runs for method in run.measurement.memory)
        numbers |= _medians(summary, methods)
    return numbers
