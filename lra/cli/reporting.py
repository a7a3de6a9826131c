"""The command that makes the report."""

import argparse

from lra.cli.common import import_plugins, say
from lra.cli.reading import none_on_record, of_tasks, read_sheets
from lra.cli.tables import spelled
from lra.results.published import read_published
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
    sheets = of_tasks(read_sheets(options.results, options.measurements), options.task)
    runs, damaged = read_runs(options.results, options.task)
    for line in damaged:
        say(f"skipped: {line}")
    if not runs and not sheets:
        raise none_on_record(options.results, options.task)
    records = [run.record for run in runs]
    arguments = spelled(options.task, options.results)
    beside, reasons = published_tables(accuracy_groups(records), read_published())
    tables = [*tables_of(records, arguments=arguments), *beside]
    path = options.out / PAGE
    write_page(path, page(runs, damaged, tables, reasons, sheets))
    print(path)
    return 0
