"""`measure`'s tables: what a sheet says of each variant and length, how it grows with the length,
and how it compares with an earlier sheet."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from attention_zoo.errors import UsageError
from attention_zoo.spec import attention_of
from lra.choices import Level
from lra.measure.compare import Change, pass_names
from lra.measure.growth import Growth, growths
from lra.measure.limits import shares
from lra.measure.memory import headline
from lra.measure.sheet import OK, Limits, Row, Sheet
from lra.results.captions import machine_line, sheet_title
from lra.results.table import Column, Table
from lra.results.tables.groups import timing
from lra.results.tables.ratios import IN_TURNS, ratio_columns

whole = "{:.0f}".format


@dataclass(frozen=True)
class Line:
    """A row of a sheet that has figures, or its status alone; with what the machine can do."""

    row: Row
    limits: Limits

    @property
    def shares(self) -> tuple[float | None, float | None]:
        """Of peak bandwidth and of peak FLOP/s, in percent."""
        found = shares(self.row.training, self.limits) if self.row.training else (None, None)
        return tuple(share and 100 * share for share in found)


def columns(level: Level) -> list[Column[Line]]:
    names = pass_names(level)
    return [
        Column("attention", lambda line: line.row.attention),
        Column("N", lambda line: line.row.N),
        *timing(names["forward"], lambda line: line.row.forward and line.row.forward.time),
        *timing(names["training"], lambda line: line.row.training and line.row.training.time),
        *ratio_columns(
            "× time",
            lambda line: line.row.ratio,
            shown=lambda lines: any(line.row.ratio for line in lines),
        ),
        Column("peak", lambda line: line.row.memory and headline(line.row.memory) / 1e6, "MB"),
        Column(
            "GFLOP",
            lambda line: line.row.training and line.row.training.flops / 1e9,
            more=lambda line: (
                " =" if line.row.training and line.row.training.formula is not None else ""
            ),
        ),
        Column("peak bandwidth", lambda line: line.shares[0], "%", whole),
        Column("peak FLOP/s", lambda line: line.shares[1], "%", whole),
        Column("parameters", lambda line: line.row.parameters),
        Column("kernels", lambda line: ", ".join(line.row.kernels or []) or None),
        Column(
            "status",
            lambda line: line.row.status,
            more=lambda line: f": {line.row.reason}" if line.row.reason else "",
        ),
    ]


@dataclass(frozen=True)
class Grown:
    """How the costs of an attention grow with N."""

    attention: str
    time: Growth
    memory: Growth


def exponent(name: str, read: Callable[[Grown], Growth]) -> Column[Grown]:
    def between(one: Grown) -> str:
        return f" ({read(one).smallest:.2f}–{read(one).largest:.2f})"

    return Column(name, lambda one: read(one).exponent, format="{:.2f}".format, more=between)


def declared(attention: str, quantity: str) -> str | None:
    """What an attention says of itself; None of a plugin that is not imported."""
    with contextlib.suppress(UsageError):
        return getattr(attention_of(attention).support, quantity)
    return None


GROWTH: list[Column[Grown]] = [
    Column("attention", lambda one: one.attention),
    Column("N from–to", lambda one: f"{one.time.first:,}–{one.time.last:,}"),
    exponent("time ∝ N to the", lambda one: one.time),
    Column("declared time", lambda one: declared(one.attention, "time")),
    exponent("memory ∝ N to the", lambda one: one.memory),
    Column("declared memory", lambda one: declared(one.attention, "memory")),
]


def sheet_tables(sheet: Sheet) -> list[Table]:
    """A row a variant and length; then growth, where an attention has figures of two lengths."""
    title, level = sheet_title(sheet.settings), sheet.settings.level
    rows = [Line(row, sheet.limits) for row in sheet.rows]
    given = {"caption": _caption(sheet), "footer": [_machine(sheet)]}
    tables = [Table.of("measure", title, columns(level), rows, **given)]
    done = [row for row in sheet.rows if row.status == OK]
    names = dict.fromkeys(row.attention for row in done)
    found = {name: growths(row for row in done if row.attention == name) for name in names}
    if grown := [Grown(name, *costs) for name, costs in found.items() if all(costs)]:
        note = "Least squares over the lengths measured (smallest–largest between neighbours)."
        tables.append(Table.of("growth", "Growth with N", GROWTH, grown, [note]))
    return tables


def _caption(sheet: Sheet) -> list[str]:
    settings = sheet.settings
    in_turns = any(row.ratio for row in sheet.rows)
    counts = {row.training.time.n for row in sheet.rows if row.status == OK} or {0}
    repetitions = "–".join(str(n) for n in sorted({min(counts), max(counts)}))
    step = "forward + backward" + " + optimiser" * (settings.level == "step")
    peak = "beyond weights and inputs"
    peak = "weights and inputs included" if settings.accelerator == "cuda" else peak
    counted = "; bytes and GFLOP are counted without torch.compile" * settings.compile
    return [
        f"Medians (p20–p80) of {repetitions} repetitions, x and x+filter in turns. Peak memory "
        f"({peak}), GFLOP, % of peak: of {step}. Kernels: of attention in the forward pass.",
        "GFLOP: of products, counted; = matches the analytic count. Peak bandwidth %, FLOP/s %: "
        "the time of a copy of as many bytes, or of a large product of as many GFLOP, as a share "
        f"of the time measured; more than 100 % comes from caches or fusion{counted}.",
        *([f"{IN_TURNS} Of {pass_names(settings.level)['training']}."] if in_turns else []),
    ]


def _machine(sheet: Sheet) -> str:
    where, limits = sheet.environment, sheet.limits
    cuda = f"CUDA {where.cuda}, " if sheet.settings.accelerator == "cuda" else ""
    return (
        f"Machine: {machine_line(sheet)}, {cuda}Python {where.python}; copy "
        f"{limits.bytes_per_second / 1e9:.1f} GB/s, product {limits.flops_per_second / 1e9:,.0f} "
        f"GFLOP/s; commit {where.short_commit}; {sheet.finished[:10]}."
    )


def cost(name: str, read: Callable[[Change], float]) -> Column[Change]:
    """Milliseconds, or megabytes of memory."""
    return Column(
        name,
        lambda change: read(change) / (1e6 if change.quantity == "memory" else 1),
        more=lambda change: " MB" if change.quantity == "memory" else " ms",
    )


CHANGES: list[Column[Change]] = [
    Column("attention", lambda change: change.attention),
    Column("N", lambda change: change.N),
    Column("figure", lambda change: change.quantity),
    cost("old", lambda change: change.old.median_ms),
    cost("new", lambda change: change.new.median_ms),
    Column("new / old", lambda change: change.ratio, format="{:.3f}".format),
    Column(
        "spread old, new",
        lambda change: (
            None
            if change.quantity == "memory"
            else f"{100 * change.old.spread:.0f} %, {100 * change.new.spread:.0f} %"
        ),
    ),
    Column("verdict", lambda change: change.verdict),
]


def change_table(
    changes: Sequence[Change],
    lost: Sequence[Row],
    absent: Sequence[str],
    against: Path,
    other: Sequence[str],
) -> Table:
    """new / old of each figure with both spreads; what lacks them; what of the machine differs."""
    lines = [f"{row.attention} N={row.N:,} had figures and has none: {row.status}" for row in lost]
    lines += [f"Not measured now: {', '.join(absent)}."] * bool(absent)
    lines.append(
        "A regression: the new p20 is above the old p80; an improvement: the new p80 is below the "
        "old p20."
    )
    if other:
        lines.append(f"Measured elsewhere, so no measure of the code: {'; '.join(other)}.")
    return Table.of("changes", f"Against {against}", CHANGES, changes, caption=lines)
