"""The page: one file that holds its data, its scripts and plotly's."""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from attention_zoo import UsageError
from lra.measure.sheet import Sheet
from lra.results.figures.bubble import bubble_charts
from lra.results.figures.curves import curve_charts
from lra.results.figures.growth import growth_charts
from lra.results.figures.palette import Looks
from lra.results.figures.tasks import task_charts
from lra.results.published import read_published
from lra.results.record import Record
from lra.results.report.charts.bubble import bubble_figure
from lra.results.report.charts.chart import Chart
from lra.results.report.charts.lines import curve_figures, growth_figures
from lra.results.report.charts.tasks import task_figure
from lra.results.report.comparison import Comparison
from lra.results.report.data import Run, embedded_runs, thinned
from lra.results.report.embed import embedded, rounded
from lra.results.report.head import Head, head
from lra.results.report.tables import embedded_table
from lra.results.summary import cost_groups
from lra.results.table import Table
from lra.system.files import whole

SCRIPTS = ("dom.js", "waiting.js", "tables.js", "figures.js", "runs.js", "main.js")


def write_page(path: Path, page: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(page.encode())


def page(
    runs: Sequence[Run],
    damaged: Sequence[str] = (),
    tables: Sequence[Table] = (),
    reasons: Sequence[str] = (),
    sheets: Iterable[Sheet] = (),
) -> str:
    """All of it as HTML. damaged: a line for each file that could not be read. reasons: why runs
    stand beside no published figures."""
    comparison = Comparison([run.record for run in runs], read_published())
    content = {
        **embedded_runs(runs, comparison),
        "head": _head(head(runs, damaged, comparison)),
        "tables": [embedded_table(table) for table in tables],
        "reasons": list(reasons),
        "figures": [_figure(chart) for chart in figures(runs, sheets)],
    }
    curves = {run.name: thinned(run.curve) for run in runs if run.curve.points}
    script = "\n".join(map(_asset, SCRIPTS))
    parts = {
        "style": _asset("report.css"),
        "content": embedded(content),
        "curves": embedded(curves),
        "plotly": plotly_script(),
        "script": script,
    }
    parts["hashes"] = " ".join(_hash(parts[name]) for name in ("plotly", "script"))
    # One pass, so that nothing in a part is taken for the place of another.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("report.html"))


def figures(runs: Sequence[Run], sheets: Iterable[Sheet]) -> list[Chart]:
    """An attention looks the same in all of them."""
    records, sheets = [run.record for run in runs], list(sheets)
    curves = [(run.record, run.curve) for run in runs]
    measured = [row.attention for sheet in sheets for row in sheet.rows]
    looks = Looks([*(record.attention for record in records), *measured])
    # As bubble_charts has them, in its order.
    groups = [group for group in cost_groups(records) if isinstance(group.first, Record)]
    return [
        *(bubble_figure(*both, looks) for both in zip(bubble_charts(records), groups, strict=True)),
        *(figure for chart in growth_charts(sheets) for figure in growth_figures(chart, looks)),
        *(figure for chart in curve_charts(curves) for figure in curve_figures(chart, looks)),
        *(task_figure(chart, looks) for chart in task_charts(records)),
    ]


def plotly_script() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise UsageError(
            "the report needs plotly, which is not installed: pip install -e '.[report]'"
        ) from error
    return get_plotlyjs().replace("</script", "<\\/script")


def _figure(chart: Chart) -> dict[str, Any]:
    return rounded(
        {
            "kind": chart.kind,
            "label": chart.label,
            "summary": chart.summary,
            "notes": chart.notes,
            "traces": chart.traces,
            "layout": chart.layout,
            "table": embedded_table(chart.table),
        }
    )


def _head(top: Head) -> dict[str, Any]:
    tables = {
        "comparable": embedded_table(top.comparable),
        "machines": embedded_table(top.machines),
        "failures": top.failures and embedded_table(top.failures, top.links),
    }
    return {"facts": top.facts, "lines": top.lines, "damaged": top.damaged} | tables


def _asset(name: str) -> str:
    return resources.files("lra.results.report").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """By which the page's Content-Security-Policy knows the scripts that may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
