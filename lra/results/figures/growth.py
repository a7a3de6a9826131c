"""Time and memory against N, with the exponents by which they grow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

from lra.measure.growth import Growth, growths
from lra.measure.memory import HEADLINE_MEMORY, METHODS, headline
from lra.measure.sheet import OK, Row, Sheet
from lra.results.captions import file_name, machine_line, sheet_title
from lra.results.comparable import machine
from lra.results.figures.chart import Chart, Panel, Series, log_axis
from lra.results.figures.notes import listed
from lra.results.numbers import counted


@dataclass(frozen=True)
class Line:
    """One attention's rows, by N."""

    rows: Sequence[Row]

    @property
    def attention(self) -> str:
        return self.rows[0].attention

    @cached_property
    def done(self) -> list[Row]:
        return [row for row in self.rows if row.status == OK]

    @cached_property
    def grown(self) -> tuple[Growth | None, Growth | None]:
        """Of time and of memory."""
        return growths(self.done)

    @property
    def name(self) -> str:
        """`linear: 1.02 [0.95, 1.10]; 1.00 [1.00, 1.00]`: exponents of time, then of memory."""
        texts = [f"{g.exponent:.2f} [{g.smallest:.2f}, {g.largest:.2f}]" for g in self.grown if g]
        return f"{self.attention}: {'; '.join(texts)}" if texts else self.attention

    def series(self) -> tuple[Series, Series]:
        """Of time in ms and of memory in MB."""
        lengths = [row.N for row in self.done]
        times = [row.training.time for row in self.done]
        sizes = [headline(row.memory) / 1e6 for row in self.done]
        texts = [""] * (len(lengths) - 1) + ["×" * (self.rows[-1].status != OK)]
        exponents = [one and one.exponent for one in self.grown]
        numbers = [
            {"N": N, "time, ms": time.median_ms, "20th percentile": time.p20_ms}
            | {"80th": time.p80_ms, "exponent": exponents[0]}
            | {"memory, MB": size, "exponent of memory": exponents[1]}
            for N, time, size in zip(lengths, times, sizes, strict=True)
        ]
        medians = [time.median_ms for time in times]
        below = [time.median_ms - time.p20_ms for time in times]
        bars = below, [time.p80_ms - time.median_ms for time in times]
        memory = Series(self.attention, lengths, sizes, self.name, joined=True, texts=texts)
        return replace(memory, y=medians, bars=bars, numbers=numbers), memory


def growth_charts(sheets: Iterable[Sheet]) -> list[Chart]:
    """One for each machine and settings of which any row was measured. Of a row that several
    sheets have, the one measured last."""
    groups: dict[str, list[Sheet]] = {}
    for sheet in sorted(sheets, key=lambda sheet: (sheet.finished, sheet.command)):
        groups.setdefault(repr((sheet.settings, machine(sheet))), []).append(sheet)
    charts = [_chart(key, groups[key]) for key in sorted(groups)]
    return [chart for chart in charts if chart is not None]


def _chart(key: str, sheets: Sequence[Sheet]) -> Chart | None:
    rows = {(row.attention, row.N): row for sheet in sheets for row in sheet.rows}
    ordered = [rows[place] for place in sorted(rows)]
    by_attention = groupby(ordered, key=lambda row: row.attention)
    lines = [line for _, of in by_attention if (line := Line(list(of))).done]
    if not lines:
        return None
    last = sheets[-1]
    settings, where = last.settings, machine_line(last)
    missing = [
        f"{row.attention} at N = {row.N:,} ({row.status})" for row in ordered if row.status != OK
    ]
    timed = "training step" if settings.level == "step" else "forward and backward"
    times, sizes = zip(*(line.series() for line in lines), strict=True)
    commits = sorted({sheet.environment.short_commit for sheet in sheets})
    words = (settings.level, settings.task or "", settings.dtype, last.environment.device)
    return Chart(
        file_name("growth", words, key),
        f"{sheet_title(settings)}, on {settings.accelerator}",
        (where,),
        [_panel(f"{timed}, ms", times), _panel("peak memory, MB", sizes)],
        [
            "Time: medians, bars from the 20th to the 80th percentile. Memory: "
            f"{METHODS[HEADLINE_MEMORY[settings.accelerator]]}, measured once. Legend: the "
            "exponents of N fitted to time and to memory, with their range between neighbouring "
            "lengths. Dots: N and N².",
            *listed("Not measured, × at the end of a line", missing),
            f"Machine: {where}. Commit {', '.join(commits)}.",
        ],
        _summary(lines),
    )


def _panel(title: str, series: Sequence[Series]) -> Panel:
    lengths = sorted({N for one in series for N in one.x})
    ticks = lengths
    while len(ticks) > 7:
        ticks = ticks[::-2][::-1]
    x = replace(log_axis("N, tokens", lengths), ticks=[(N, f"{N:,}") for N in ticks])
    values = [value for one in series for value in one.y]
    # N and N², from under the lowest first value on, as far as the lines go.
    start, first, guides = min(one.y[0] for one in series) / 1.6, lengths[0], []
    for power, name in ((1, "N"), (2, "N²")) if len(lengths) > 1 and start > 0 else ():
        stop = min(lengths[-1], first * (max(values) / start) ** (1 / power))
        ends = [start, start * (stop / first) ** power]
        guides.append(Series(None, [first, stop], ends, joined=True, texts=["", name]))
    lowest = [start] * bool(guides)
    return Panel(x, log_axis(title, [*values, *lowest]), [*series, *guides])


def _summary(lines: Sequence[Line]) -> str:
    grown = sorted((line.grown[0].exponent, line.attention) for line in lines if line.grown[0])
    text = f"Time and memory of {counted(len(lines), 'attention')}."
    if grown:
        (least, slow), (most, fast) = grown[0], grown[-1]
        text += f" Time grows least with N for {slow} (exponent {least:.2f}), most for "
        text += f"{fast} ({most:.2f})."
    return text
