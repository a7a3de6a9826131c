"""`figure`: figures from what is on record."""

import argparse
import contextlib
import importlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from attention_zoo import UsageError
from lra.cli.common import say
from lra.cli.options import PROGRAM, Parser, add, add_of_records, require_tasks
from lra.cli.sweeping import charts_by, require_alone
from lra.cli.values import folder
from lra.protocols import Protocol, get_protocol

if TYPE_CHECKING:
    from lra.measure.sheet import Sheet
    from lra.results.comparable import Recorded
    from lra.results.curves import Curve
    from lra.results.figures.chart import Chart

# The kinds, and what each is made from, in words.
NEEDS = {
    "bubble": "measured runs with a result",
    "tasks": "runs with a result",
    "curves": "runs with a learning curve",
    "growth": "measured rows with figures",
    "weights": "analyzed runs with filters",
    "spectra": "analyzed runs",
    "response": "analyzed runs",
    "smoothing": "analyzed runs",
    "fractions": "runs of several training fractions",
    "corruptions": "runs evaluated under corruptions",
}

# Those of what `analyze` found, with the function of lra.results.figures that makes their charts.
ANALYSES = {
    "weights": "weight_charts",
    "spectra": "spectrum_charts",
    "response": "response_charts",
    "smoothing": "smoothing_charts",
}


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} figure",
        "Draws figures from what is on record, as PNG, SVG and PDF, and prints their paths. "
        "bubble: accuracy against training time, a circle's area for memory, arrows to the "
        "filtered attention. growth: time and memory against N. curves: learning curves. tasks: "
        "accuracy by task. fractions: accuracy against --train-fraction. corruptions: accuracy "
        "against severity. Of runs that `analyze` has looked at: weights; spectra; response, on "
        "the spectrum and in its Fourier form; smoothing through depth. What is not comparable "
        "never shares a figure: each group has its own.",
        require_tasks,
    )
    made.add_argument("kind", nargs="?", choices=tuple(NEEDS), help="or --by OPTION")
    add_of_records(made)
    add(made, "--attn", required=False, help="these alone; default: all on record")
    add(made, "--by", "--measurements")
    out = Path("results/figures")
    add(made, "--out", metavar="DIR", type=folder, default=out, help="default: %(default)s")
    return made


def carry_out(options: argparse.Namespace) -> int:
    from lra.cli.reading import asked_for, on_record, read_sheets
    from lra.results.figures.palette import Looks
    from lra.results.figures.paper import draw, save, styled

    require_alone(options.by, "figure", [options.kind] if options.kind else [])
    if options.by is None and options.kind is None:
        raise UsageError(f"name a figure: {', '.join(NEEDS)}, or --by OPTION")
    with styled():  # says so first where matplotlib is missing
        runs = on_record(options.results)
    sheets = read_sheets(options.results, options.measurements)
    known = {record.attention for _, record in runs} | {r.attention for s in sheets for r in s.rows}
    wanted = asked_for(options.attn, known, protocols_of(runs, sheets))
    charts = charts_of(options, runs, sheets, wanted)
    if not charts:
        needed = NEEDS.get(options.kind, "runs with a result")
        chosen = " of that --task and --attn" if options.task or options.attn else ""
        places = ", ".join(map(str, options.results))
        where = "those of --measurements" if options.measurements else places
        raise UsageError(f"nothing to draw: no {needed}{chosen} in {where}")
    if options.by is not None:  # each form of a sweep has a look of its own
        series = (one for chart in charts for panel in chart.panels for one in panel.series)
        known = {one.attention for one in series if one.attention}
    looks = Looks(known)
    for chart in charts:
        for path in save(draw(chart, looks), options.out, chart.name):
            print(path)
    return 0


def charts_of(
    options: argparse.Namespace,
    runs: "list[tuple[Path, Recorded]]",
    sheets: "list[Sheet]",
    wanted: set[str],
) -> "list[Chart]":
    """The charts of the asked kind."""
    from lra.cli.reading import corrupted, of_tasks
    from lra.results.figures.bubble import bubble_charts
    from lra.results.figures.curves import curve_charts
    from lra.results.figures.growth import growth_charts
    from lra.results.figures.robustness import corruption_charts, fraction_charts
    from lra.results.figures.tasks import task_charts

    if options.kind == "growth":
        chosen = [
            replace(sheet, rows=[row for row in sheet.rows if row.attention in wanted])
            for sheet in of_tasks(sheets, options.task)
        ]
        return growth_charts(chosen)
    shown = [
        (folder, record)
        for folder, record in runs
        if record.attention in wanted and (options.task is None or record.task in options.task)
    ]
    if options.kind in ANALYSES:
        return analysis_charts(options.kind, shown)
    if options.kind == "curves":
        return curve_charts([(record, curve_of(folder, record)) for folder, record in shown])
    if options.by is not None:
        return charts_by(options.by, shown)
    records = [record for _, record in shown]
    if options.kind == "fractions":
        return fraction_charts(records)
    if options.kind == "corruptions":
        return corruption_charts(records, corrupted(shown, ["corruptions"]))
    return task_charts(records) if options.kind == "tasks" else bubble_charts(records)


def analysis_charts(kind: str, runs: "list[tuple[Path, Recorded]]") -> "list[Chart]":
    """The charts of a kind of ANALYSES; an analysis that cannot be read is named."""
    from lra.cli.reading import beside
    from lra.results.analysis import read_analysis

    make = getattr(importlib.import_module(f"lra.results.figures.{kind}"), ANALYSES[kind])
    return make([(record, beside(read_analysis, folder, record)) for folder, record in runs])


def curve_of(folder: Path, record: "Recorded") -> "Curve":
    """One without a result has none; a curve that cannot be read is named."""
    from lra.results.curves import Curve, read_curve
    from lra.results.record import Record

    curve = read_curve(folder) if isinstance(record, Record) else Curve(())
    if curve.missing:
        say(f"no curve: {curve.missing}")
    return curve


def protocols_of(runs: "list[tuple[Path, Recorded]]", sheets: "list[Sheet]") -> set[Protocol]:
    """Under which these were run or measured; not those that sheets have from a file."""
    found = {record.protocol for _, record in runs}
    for settings in (sheet.settings for sheet in sheets if sheet.settings.task):
        with contextlib.suppress(UsageError):
            found.add(get_protocol(settings.protocol, settings.task))
    return found
