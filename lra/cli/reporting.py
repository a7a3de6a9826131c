"""The command that makes the report."""

import argparse

from attention_zoo import UsageError
from lra.cli.common import import_plugins, say
from lra.cli.tables import spelled
from lra.measure.sheet import read_sheet
from lra.results.published import read_published
from lra.results.record import RUNS
from lra.results.report.data import read_runs
from lra.results.report.page import page, plotly_script, write_page
from lra.results.summary import accuracy_groups
from lra.results.tables import published_tables, tables_of
from lra.tasks import get_task

PAGE = "index.html"


def make_report(options: argparse.Namespace) -> int:
    import_plugins(options.plugin)
    plotly_script()  # where plotly is missing, it is said before the work
    for task in options.task or ():
        get_task(task)
    sheets = [read_sheet(path) for path in options.measurements]
    runs, damaged = read_runs(options.results, options.task)
    for line in damaged:
        say(f"skipped: {line}")
    if not runs and not sheets:
        raise UsageError(
            f"no runs on record under {options.results / RUNS}; "
            "`python run_lra.py --task listops --attn linear` makes one"
        )
    records = [run.record for run in runs]
    arguments = spelled(options.task, options.results)
    beside, reasons = published_tables(accuracy_groups(records), read_published())
    tables = [*tables_of(records, arguments=arguments), *beside]
    path = options.out / PAGE
    write_page(path, page(runs, damaged, tables, reasons, sheets))
    print(path)
    return 0
