"""What can be typed to make data."""

from lra.cli.parsers.shared import PROGRAM, Parser, add_data, add_protocol


def prepare_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} prepare",
        description="Makes a task's data from its official files, or draws them, or verifies what "
        "is there; says what is missing and where it is from.",
    )
    add_protocol(parser)
    add_data(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--download", action="store_true", help="fetch the official archive where DIR lacks it"
    )
    what.add_argument(
        "--verify", action="store_true", help="check what was prepared, and make nothing"
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="processes that read or draw; default: one a core. The data are the same for any "
        "number",
    )
    return parser
