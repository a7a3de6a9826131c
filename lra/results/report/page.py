"""The page: one file that holds its data, its scripts, and those of plotly and DataTables."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from importlib import import_module, resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from attention_zoo import UsageError
from lra.measure.sheet import Sheet
from lra.results.comparable import column as column_of
from lra.results.comparable import conditions
from lra.results.details import filter_rows, sections
from lra.results.figures import screen
from lra.results.figures.bubble import bubble_charts
from lra.results.figures.curves import curve_charts, run_panels
from lra.results.figures.growth import growth_charts
from lra.results.figures.palette import Looks
from lra.results.figures.response import response_charts
from lra.results.figures.robustness import corruption_charts, fraction_charts
from lra.results.figures.smoothing import smoothing_charts
from lra.results.figures.spectra import spectrum_charts
from lra.results.figures.tasks import task_charts
from lra.results.figures.weights import weight_charts
from lra.results.published import read_published
from lra.results.reading import Run
from lra.results.report import head
from lra.results.summary import Group, accuracy_groups
from lra.results.table import Cell, Table
from lra.results.tables.analysis import analysis_tables
from lra.results.tables.runs import COLUMNS
from lra.system.files import whole

CHOICES = ("task", "family", "filter", "ended")  # columns of the runs that rows are chosen by

ANALYZED = {  # what `analyze` found
    "Smoothing through depth": smoothing_charts,
    "Learned weights of filters": weight_charts,
    "Spectra": spectrum_charts,
    "Responses of the layers": response_charts,
}


def write_page(path: Path, page: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(page.encode())


def page(
    runs: Sequence[Run],
    damaged: Sequence[str] = (),
    tables: Sequence[Table] = (),
    reasons: Sequence[str] = (),
    sheets: Sequence[Sheet] = (),
) -> str:
    """All of it as HTML.

    Args:
        damaged: a line for each file that could not be read
        reasons: why runs stand beside no published figures
    """
    environment = templates()
    records = [run.record for run in runs]
    published = read_published()
    corrupted = {run.corruptions.weights: run.corruptions for run in runs if run.corruptions}
    compared = [(one, head.comparison(one, published)) for one in accuracy_groups(records)]
    analyzed = [(run.record, run.analysis) for run in runs]
    charts = {
        "Accuracy against training time": bubble_charts(records),
        "Time and memory against N": growth_charts(sheets),
        "Learning curves": curve_charts((run.record, run.curve) for run in runs),
        "Accuracy by task": task_charts(records),
        **{name: make(analyzed) for name, make in ANALYZED.items()},
        "Accuracy by part of the training split": fraction_charts(records),
        "Accuracy under corruptions": corruption_charts(records, corrupted),
    }
    # An attention looks the same in each.
    measured = [row.attention for sheet in sheets for row in sheet.rows]
    looks = Looks([*(record.attention for record in records), *measured])
    content = {
        "figures": {
            chart.name: screen.draw(chart.panels, looks) for of in charts.values() for chart in of
        },
        "columns": [
            {
                "title": column.header,
                "data": f"cells.{i}",
                "visible": bool(column.shown) and column.name != "run",
                "className": "choice" if column.name in CHOICES else "number" * bool(column.unit),
            }
            for i, column in enumerate(COLUMNS)
        ],
        **_runs(runs, compared, looks, environment),
    }
    scripts = _scripts()
    return environment.get_template("page.html").render(
        facts=head.facts(records),
        beside=head.beside_lra(compared),
        overview=head.overview(records, compared),
        failures=head.failures(runs),
        damaged=damaged,
        charts={kind: of for kind, of in charts.items() if of},
        tables=tables,
        reasons=reasons,
        content=packed(content),
        scripts=scripts,
        hashes=[_hash(script) for script in scripts.values()],
        styles=[_text("itables.html", "dt_bundle.css"), _text("lra.results.report", "report.css")],
    )


def packed(content: Any) -> str:
    """JSON in gzip in base64, of which no character is markup; floats to six digits."""
    text = json.dumps(content, allow_nan=False)
    short = json.loads(text, parse_float=lambda number: float(f"{float(number):.6g}"))
    text = json.dumps(short, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def templates() -> Any:
    """jinja2's environment: whatever a template is given is text, and never markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("lra.results.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"plain": Table.plain}
    return environment


def _runs(
    runs: Sequence[Run], compared: Sequence[tuple[Group, str]], looks: Looks, environment: Any
) -> dict[str, Any]:
    """A run each, with its cells, its figure and its details; `parts`: pieces of HTML, of which
    several runs have some."""
    template, section = (environment.get_template(f"{name}.html") for name in ("run", "section"))
    texts = {(group.conditions, group.column): text for group, text in compared}
    parts: dict[str, int] = {}
    listed = []
    for run in runs:
        record = run.record
        filters = filter_rows(record.filters) if hasattr(record, "filters") else []
        text = texts[conditions(record), column_of(record)]
        found = analysis_tables(run.analysis) if run.analysis else []
        html = [template.render(run=run, filters=filters, comparable=text, analysis=found)]
        html += [section.render(title=name, pairs=of) for name, of in sections(record).items()]
        panels = run_panels(record.attention, run.curve) if run.curve.points else []
        listed.append(
            {
                "name": run.name,
                "cells": [_cell(run, column.cell(run)) for column in COLUMNS],
                "parts": [parts.setdefault(part, len(parts)) for part in html],
                "figure": screen.draw(panels, looks),
            }
        )
    return {"runs": listed, "parts": list(parts)}


def _cell(run: Run, cell: Cell) -> list[Any]:
    """Its HTML and its value; the name of a run and its attention lead to its details."""
    text = escape(cell.text)
    if cell.value in (run.name, run.record.attention):
        text = Markup('<a href="#run={}">{}</a>').format(quote(run.name, safe=""), text)
    return [text, cell.value]


def require_packages() -> None:
    """Raises UsageError, with what to type, if a package that the page is made with is missing."""
    for name in ("jinja2", "plotly", "itables"):
        try:
            import_module(name)
        except ImportError as error:
            raise UsageError(
                f"the report needs {name}, which is not installed: pip install -e '.[report]'"
            ) from error


def _scripts() -> dict[str, str]:
    """plotly's, DataTables', of which a page has no use for any export but one, and our own."""
    from plotly.offline import get_plotlyjs

    exports = r"export\{[^{}]*?(\w+) as default[^{}]*\}"
    return {
        "plotly": get_plotlyjs().replace("</script", "<\\/script"),
        "datatables": re.sub(
            exports, r"window.DataTable=\1", _text("itables.html", "dt_bundle.js")
        ),
        "page": _text("lra.results.report", "report.js"),
    }


def _text(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text("utf-8")


def _hash(script: str) -> str:
    """By which the page's Content-Security-Policy knows the scripts that may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
