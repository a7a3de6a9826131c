"""The command that draws figures."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from attention_zoo import UsageError
from attention_zoo.errors import unknown
from lra.cli.common import import_plugins, say
from lra.cli.reading import canonical, of_tasks, on_record, read_sheets
from lra.measure.sheet import Sheet
from lra.results.comparable import Recorded
from lra.results.curves import Curve, read_curve
from lra.results.figures.bubble import bubble_charts
from lra.results.figures.curves import curve_charts
from lra.results.figures.draw_bubble import draw_bubbles
from lra.results.figures.draw_curves import draw_curves
from lra.results.figures.draw_growth import draw_growth
from lra.results.figures.draw_tasks import draw_tasks
from lra.results.figures.growth import growth_charts
from lra.results.figures.palette import Looks
from lra.results.figures.style import save, styled
from lra.results.figures.tasks import task_charts
from lra.results.record import Record
from lra.tasks import get_task

# What each figure is made from, in words.
NEEDS = {
    "bubble": "runs with a result",
    "tasks": "runs with a result",
    "curves": "runs with a learning curve",
    "growth": "measured rows with figures",
}
Folders = list[tuple[Path, Recorded]]


def draw_figures(options: argparse.Namespace) -> int:
    with styled():  # says so first where matplotlib is missing
        import_plugins(options.plugin)
    for task in options.task or ():
        get_task(task)
    runs = on_record(options.results)
    sheets = read_sheets(options.results, options.measurements)
    known = {record.attention for _, record in runs} | {r.attention for s in sheets for r in s.rows}
    wanted = asked_for(options.attn, known)
    charts, draw = charts_of(options, runs, sheets, wanted)
    if not charts:
        chosen = " of that --task and --attn" if options.task or options.attn else ""
        where = "those of --measurements" if options.measurements else options.results
        raise UsageError(f"nothing to draw: no {NEEDS[options.kind]}{chosen} in {where}")
    looks = Looks(known)
    for chart in charts:
        for path in save(draw(chart, looks), options.out, chart.caption.name):
            print(path)
    return 0


def charts_of(
    options: argparse.Namespace, runs: Folders, sheets: list[Sheet], wanted: set[str]
) -> tuple[list[Any], Callable]:
    """The charts of the asked kind, and what draws one."""
    if options.kind == "growth":
        chosen = [
            replace(sheet, rows=[row for row in sheet.rows if row.attention in wanted])
            for sheet in of_tasks(sheets, options.task)
        ]
        return growth_charts(chosen), draw_growth
    shown = [
        (folder, record)
        for folder, record in runs
        if record.attention in wanted and (options.task is None or record.task in options.task)
    ]
    if options.kind == "curves":
        curves = [(record, curve_of(folder, record)) for folder, record in shown]
        for _, curve in curves:
            if curve.missing:
                say(f"no curve: {curve.missing}")
        return curve_charts(curves), draw_curves
    records = [record for _, record in shown]
    if options.kind == "tasks":
        return task_charts(records), draw_tasks
    return bubble_charts(records), draw_bubbles


def curve_of(folder: Path, record: Recorded) -> Curve:
    """One without a result has none."""
    return read_curve(folder) if isinstance(record, Record) else Curve(())


def asked_for(specs: list[str] | None, known: set[str]) -> set[str]:
    """The attentions of these specs, all that are known where none is given; UsageError for one
    of which nothing is there."""
    if specs is None:
        return known
    wanted = {canonical(spec, known) for spec in specs}
    for spec in sorted(wanted - known):
        raise unknown("attention on record", spec, known)
    return wanted
