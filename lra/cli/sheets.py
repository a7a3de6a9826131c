"""A measurement and its comparison with another as people read them, in GitHub Markdown."""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from attention_zoo.errors import UsageError
from attention_zoo.spec import attention_of
from lra.measure.compare import Change, Lost, pass_names
from lra.measure.growth import Growth, growth
from lra.measure.limits import shares
from lra.measure.memory import headline
from lra.measure.sheet import OK, Pass, Row, Sheet
from lra.measure.timing import WIDE, Timing
from lra.results.numbers import figure
from lra.results.table import MISSING

GROWTH = "Least squares over the lengths measured (smallest–largest between neighbours)."


def sheet_text(sheet: Sheet) -> str:
    """A row an attention and length; growth; where the numbers are from."""
    rows = [row_cells(row, sheet) for row in sheet.rows]
    parts = [table(rows)]
    if grown := [cells for name in attentions(sheet) if (cells := growth_cells(name, sheet))]:
        parts += [table(grown), GROWTH]
    parts.append("\n".join(footer(sheet)))
    return "\n\n".join(parts)


def table(rows: Sequence[dict[str, object]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def row_cells(row: Row, sheet: Sheet) -> dict[str, str]:
    about = {"attention": row.attention, "N": f"{row.N:,}"}
    passes = [f"{name} ms" for name in pass_names(sheet.settings.level).values()]
    names = [*passes, "peak MB", "GFLOP", "of copy", "of product", "parameters", "kernels"]
    if row.status != OK:
        status = row.status + (f": {row.reason}" if row.reason else "")
        return about | dict.fromkeys(names, MISSING) | {"status": status.replace("|", "\\|")}
    of_copy, of_product = shares(row.training, sheet.limits)
    figures = [
        milliseconds(row.forward.time),
        milliseconds(row.training.time),
        figure(headline(row.memory) / 1e6),
        operations(row.training),
        f"{100 * of_copy:.0f} %",
        f"{100 * of_product:.0f} %",
        f"{row.parameters:,}",
        ", ".join(row.kernels) or MISSING,
    ]
    return about | dict(zip(names, figures, strict=True)) | {"status": row.status}


def milliseconds(time: Timing) -> str:
    text = f"{figure(time.median_ms)} ({figure(time.p20_ms)}–{figure(time.p80_ms)})"
    return text + (f" spread {100 * time.spread:.0f} %!" if time.spread > WIDE else "")


def operations(passed: Pass) -> str:
    return figure(passed.flops / 1e9) + ("" if passed.formula is None else " =")


def attentions(sheet: Sheet) -> list[str]:
    return list(dict.fromkeys(row.attention for row in sheet.rows))


def growth_cells(name: str, sheet: Sheet) -> dict[str, str] | None:
    """Exponents of N; None where fewer than two lengths have figures."""
    rows = {row.N: row for row in sheet.rows if row.attention == name and row.status == OK}
    time = growth({N: row.training.time.median_ms for N, row in rows.items()})
    memory = growth({N: headline(row.memory) for N, row in rows.items()})
    if time is None or memory is None:
        return None
    try:
        support = attention_of(name).support
        declared = support.time, support.memory
    except UsageError:  # of a plugin that is not there
        declared = MISSING, MISSING
    return {
        "attention": name,
        "N from–to": f"{time.first:,}–{time.last:,}",
        "time ∝ N to the": exponents(time),
        "declared time": declared[0],
        "memory ∝ N to the": exponents(memory),
        "declared memory": declared[1],
    }


def exponents(found: Growth) -> str:
    return f"{found.exponent:.2f} ({found.smallest:.2f}–{found.largest:.2f})"


def footer(sheet: Sheet) -> list[str]:
    settings, where, limits = sheet.settings, sheet.environment, sheet.limits
    compiled = ", torch.compile" if settings.compile else ""
    shape = f"batch {settings.batch}, {settings.heads} heads of {settings.head_dim}"
    if settings.level == "step":
        changes = ", ".join(f"{key}={value}" for key, value in settings.modified.items())
        left = f" modified ({changes})" if changes else ""
        shape += f", {settings.task}, protocol {settings.protocol}{left}"
        shape += f", in parts of {settings.micro_batch}" if settings.micro_batch else ""
    backward = (
        "forward + backward + optimiser" if settings.level == "step" else "forward + backward"
    )
    cuda = f"CUDA {where.cuda}, " if settings.accelerator == "cuda" else ""
    return [
        f"Level {settings.level}: {shape}, {settings.dtype}{compiled}, nothing padded. Medians "
        f"(p20–p80) of {repetitions(sheet)} repetitions, of x and x+filter in turns, of other "
        f"attentions after them; a spread (p80 − p20)/median above {100 * WIDE:.0f} % is flagged. "
        f"Peak MB, GFLOP and shares are of {backward}; peak: {method(sheet)}. Kernels: those of "
        "attention in the forward pass, or the products that it is made of.",
        "GFLOP: of products, counted; = where the attention's formula gives the same, to the last "
        "operation. Of copy, of product: the time that the bytes which operators read and write "
        "would take at the rate of a copy, and the GFLOP at that of a large product, as a share of "
        "the time it took; of copy more than 100 % comes out of caches"
        + (
            ", or of fusion: bytes and GFLOP are counted without torch.compile." * settings.compile
            or "."
        ),
        f"Machine: {where.machine}, {cuda}Python {where.python}, float32 products "
        f"{where.matmul}; copy "
        f"{limits.bytes_per_second / 1e9:.1f} GB/s, product {limits.flops_per_second / 1e9:,.0f} "
        f"GFLOP/s; commit {where.short_commit}; {sheet.finished[:10]}.",
    ]


def repetitions(sheet: Sheet) -> str:
    counts = {row.training.time.n for row in sheet.rows if row.status == OK}
    return "–".join(str(n) for n in sorted({min(counts), max(counts)})) if counts else "no"


def method(sheet: Sheet) -> str:
    if sheet.settings.accelerator == "cuda":
        return "torch's peak of allocated memory, weights and inputs included"
    return "what it allocated at once beyond weights and inputs"


def changes_text(
    changes: Sequence[Change],
    lost: Sequence[Lost],
    absent: Sequence[str],
    against: Path,
    other: Sequence[str],
) -> str:
    """new / old of each figure with both spreads, then what lacks them, then what differs."""
    cells = [
        {
            "attention": change.attention,
            "N": f"{change.N:,}",
            "figure": change.quantity,
            "old": cost(change, change.old),
            "new": cost(change, change.new),
            "new / old": f"{change.ratio:.3f}",
            "spread old, new": MISSING
            if change.quantity == "memory"
            else f"{100 * change.old_spread:.0f} %, {100 * change.new_spread:.0f} %",
            "verdict": change.verdict,
        }
        for change in changes
    ]
    lines = [table(cells)] if cells else []
    lines += [f"{row.attention} N={row.N:,} had figures and has none: {row.status}" for row in lost]
    if absent:
        lines.append(f"Not measured now: {', '.join(absent)}.")
    lines.append(
        f"Against {against}. A regression: the new p20 is above the old p80; an improvement: the "
        "new p80 is below the old p20."
    )
    if other:
        lines.append(f"Measured elsewhere, so no measure of the code: {'; '.join(other)}.")
    return "\n\n".join([lines[0], "\n".join(lines[1:])]) if len(lines) > 1 else lines[0]


def cost(change: Change, value: float) -> str:
    return f"{figure(value / 1e6)} MB" if change.quantity == "memory" else f"{figure(value)} ms"
