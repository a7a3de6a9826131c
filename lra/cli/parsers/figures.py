"""What can be typed to draw figures."""

from pathlib import Path

from lra.cli.parsers.shared import PROGRAM, Parser, add_plugins, add_results

KINDS = ("bubble", "growth", "curves", "tasks")


def figure_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} figure",
        description="Draws figures from what is on record, as PNG, SVG and PDF, and prints their "
        "paths. bubble: accuracy against training time, a circle's area for memory, arrows to the "
        "filtered attention. growth: time and memory against N. curves: learning curves. tasks: "
        "accuracy by task. What is not comparable never shares a figure: each group has its own.",
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--task", nargs="+", metavar="TASK", help="default: all")
    parser.add_argument(
        "--attn", nargs="+", metavar="SPEC", help="these alone; default: all on record"
    )
    parser.add_argument(
        "--measurements",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="of `measure`, for growth; default: all in the results' folder measurements",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/figures"),
        metavar="DIR",
        help="default: results/figures",
    )
    add_plugins(parser)
    add_results(parser)
    return parser
