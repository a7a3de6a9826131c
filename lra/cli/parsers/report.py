"""What can be typed to make the report."""

from pathlib import Path

from lra.cli.parsers.shared import PROGRAM, Parser, add_plugins, add_results


def report_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} report",
        description="One page of all that is on record, which opens without a network: tables that "
        "sort, figures that answer, each run with its settings and the command that repeats it.",
    )
    parser.add_argument("--task", nargs="+", metavar="TASK", help="default: all")
    parser.add_argument(
        "--measurements",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="of `measure`, for time and memory against N; default: all in the results' folder "
        "measurements",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/report"),
        metavar="DIR",
        help="the folder of index.html; default: %(default)s",
    )
    add_results(parser)
    add_plugins(parser)
    return parser
