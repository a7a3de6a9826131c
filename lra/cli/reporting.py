"""The command that makes the report."""

import argparse

from attention_zoo import UsageError
from lra.cli.common import import_plugins, say
from lra.measure.sheet import read_sheet
from lra.results.report.data import read_runs
from lra.results.report.page import page, plotly_script, write_page
from lra.results.runs import RUNS
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
    path = options.out / PAGE
    write_page(path, page(runs, damaged, [], sheets))
    print(path)
    return 0
