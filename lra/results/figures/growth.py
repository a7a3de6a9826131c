"""Time and memory against N, with the exponents by which they grow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lra.measure.growth import Growth, growth
from lra.measure.memory import HEADLINE_MEMORY, METHODS
from lra.measure.sheet import OK, Row, Settings, Sheet
from lra.results.captions import Caption, file_name, labelled, machine_line, spelled
from lra.results.comparable import machine

PASS = {
    "operator": "Forward and backward pass of the attention operator",
    "layer": "Forward and backward pass of a self-attention layer",
    "step": "Training step of the model",
}


@dataclass(frozen=True)
class Ended:
    """The first length after the last figure, and how it ended: `out of memory`, `time limit`, …"""

    N: int
    status: str


@dataclass(frozen=True)
class Line:
    """One attention's cost at each length; low and high: its 20th and 80th percentile, None
    of what was measured once. growth: None below two lengths."""

    attention: str
    N: tuple[int, ...]
    values: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    growth: Growth | None
    ended: Ended | None


@dataclass(frozen=True)
class GrowthChart:
    """Measurements of one machine with the same settings. timed: what was, in words. time: ms;
    memory: bytes, measured once by `method`. missing: what has no figure but lies at no line's
    end, in words."""

    caption: Caption
    timed: str
    method: str
    time: tuple[Line, ...]
    memory: tuple[Line, ...]
    missing: tuple[str, ...]


def growth_charts(sheets: Iterable[Sheet]) -> list[GrowthChart]:
    """One for each machine and settings of which any row has figures. Of a row that several sheets
    have, the one measured last."""
    groups: dict[str, list[Sheet]] = {}
    for sheet in sorted(sheets, key=lambda sheet: (sheet.finished, sheet.command)):
        groups.setdefault(repr((sheet.settings, machine(sheet))), []).append(sheet)
    charts = [_chart(key, groups[key]) for key in sorted(groups)]
    return labelled([chart for chart in charts if chart.time])


def _chart(key: str, sheets: list[Sheet]) -> GrowthChart:
    rows = {(row.attention, row.N): row for sheet in sheets for row in sheet.rows}
    by_attention: dict[str, list[Row]] = {}
    for place in sorted(rows):
        by_attention.setdefault(place[0], []).append(rows[place])
    last = sheets[-1]
    settings, environment = last.settings, last.environment
    commits = sorted({sheet.environment.short_commit for sheet in sheets})
    method = HEADLINE_MEMORY[settings.accelerator]
    missing = tuple(_missing(by_attention))
    caption = Caption(
        file_name(
            "growth", (settings.level, settings.task or "", settings.dtype, environment.device), key
        ),
        title_of(settings),
        (
            "Time: medians, with the band from the 20th to the 80th percentile. Memory: "
            f"{METHODS[method]}, measured once. Legend: the exponents of N fitted to time and to "
            "memory, in brackets their range between neighbouring lengths. Dots: N and N².",
            *([f"Without a figure: {', '.join(missing)}."] if missing else []),
        ),
        f"Machine: {machine_line(last)}. Commit {', '.join(commits)}.",
        (machine_line(last),),
    )
    time = (_line(n, found, _milliseconds(found)) for n, found in by_attention.items())
    memory = (_line(n, found, _bytes(found, method)) for n, found in by_attention.items())
    return GrowthChart(
        caption,
        "training step" if settings.level == "step" else "forward and backward",
        METHODS[method],
        tuple(line for line in time if line.N),
        tuple(line for line in memory if line.N),
        missing,
    )


def title_of(settings: Settings) -> str:
    """What was measured, with every setting in which figures may differ."""
    task = ""
    if settings.task:
        left = f", modified ({spelled(settings.modified)})" if settings.modified else ""
        task = f" on {settings.task}, protocol {settings.protocol}{left}"
    parts = f" in parts of {settings.micro_batch}" if settings.micro_batch else ""
    sizes = f"batch {settings.batch}{parts}, {settings.heads} heads of {settings.head_dim}"
    compiled = ", compiled" if settings.compile else ""
    where = f"{settings.dtype} on {settings.accelerator}{compiled}"
    return f"{PASS[settings.level]}{task}: {sizes}, {where}"


Point = tuple[float, ...]  # N, value; low and high where there are some


def _milliseconds(rows: Sequence[Row]) -> list[Point]:
    timed = [(row.N, row.training.time) for row in rows if row.status == OK and row.training]
    return [(N, time.median_ms, time.p20_ms, time.p80_ms) for N, time in timed]


def _bytes(rows: Sequence[Row], method: str) -> list[Point]:
    known = [(row.N, row.memory[method]) for row in rows if row.status == OK and row.memory]
    return [(N, float(value)) for N, value in known]


def _line(attention: str, rows: Sequence[Row], points: list[Point]) -> Line:
    N, values, *band = zip(*points, strict=True) if points else ((), ())
    low, high = band or (None, None)
    failed = [row for row in rows if row.status != OK and row.N > max(N, default=0)]
    ended = Ended(failed[0].N, failed[0].status) if failed else None
    costs = dict(zip(N, values, strict=True))
    return Line(attention, N, values, low, high, growth(costs), ended)


def _missing(by_attention: dict[str, list[Row]]) -> Iterable[str]:
    for name, rows in by_attention.items():
        last = max((row.N for row in rows if row.status == OK), default=None)
        if last is None:
            yield f"{name} ({rows[0].status})"
        for row in rows:
            if last is not None and row.status != OK and row.N < last:
                yield f"{name} at N = {row.N:,} ({row.status})"
