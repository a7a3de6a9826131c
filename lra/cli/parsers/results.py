"""What can be typed about runs on record."""

from pathlib import Path

from lra.cli.parsers.shared import PROGRAM, Parser, add_data, add_plugins, add_results


def evaluate_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} evaluate",
        description="Evaluates a finished run's checkpoint again; fails where the figure is not "
        "the one on record.",
    )
    parser.add_argument("run", metavar="RUN", help="its folder, or the folder's name")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), help="default: the record's")
    add_plugins(parser)
    add_data(parser)
    add_results(parser)
    return parser


def table_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} table",
        description="Tables from the runs on record: accuracy (attentions × tasks), pairs (an "
        "attention with a filter against without), cost (time, memory, parameters).",
    )
    parser.add_argument(
        "kinds",
        nargs="*",
        metavar="accuracy|pairs|cost",
        help="default: all that have rows; CSV takes one",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="our accuracies beside published ones, where protocol and data agree; alone, or with "
        "the tables that are named",
    )
    parser.add_argument("--task", nargs="+", metavar="TASK", help="default: all")
    parser.add_argument(
        "--format",
        choices=("github", "latex", "csv", "html"),
        default="github",
        help="default: %(default)s; latex needs the package booktabs",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    add_results(parser)
    return parser
