"""`report`: one page of all that is on record."""

import argparse
from pathlib import Path

from lra.cli.common import say
from lra.cli.options import PROGRAM, Parser, add, add_of_records, require_tasks
from lra.cli.values import folder

PAGE = "index.html"


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} report",
        "One page of all that is on record, which opens without a network: tables that sort, "
        "figures that answer, each run with its settings and the command that repeats it.",
        require_tasks,
    )
    add_of_records(made)
    add(made, "--measurements")
    about = f"the folder of {PAGE}; default: %(default)s"
    add(made, "--out", metavar="DIR", type=folder, default=Path("results/report"), help=about)
    return made


def carry_out(options: argparse.Namespace) -> int:
    from lra.cli.reading import none_on_record, of_tasks, read_sheets, spelled
    from lra.results.published import read_published
    from lra.results.reading import read_runs
    from lra.results.report.page import page, require_packages, write_page
    from lra.results.summary import accuracy_groups
    from lra.results.tables import published_tables, tables_of

    require_packages()  # what is missing is said before the work
    sheets = of_tasks(read_sheets(options.results, options.measurements), options.task)
    runs, damaged = read_runs(options.results, options.task)
    for line in damaged:
        say(f"skipped: {line}")
    if not runs and not sheets:
        raise none_on_record(options.results, options.task)
    records = [run.record for run in runs]
    arguments = spelled(options.task, options.results)
    beside, reasons = published_tables(accuracy_groups(records), read_published())
    corrupted = {run.corruptions.weights: run.corruptions for run in runs if run.corruptions}
    tables = [*tables_of(records, arguments=arguments, corrupted=corrupted), *beside]
    path = options.out / PAGE
    write_page(path, page(runs, damaged, tables, reasons, sheets))
    print(path)
    return 0
