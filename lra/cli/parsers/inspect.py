"""What can be typed to see what there is, and to check an attention."""

from lra.cli.parsers.shared import PROGRAM, Parser, add_plugins


def list_parser() -> Parser:
    parser = Parser(prog=f"{PROGRAM} list", description="Lists what there is.")
    parser.add_argument(
        "what",
        nargs="*",
        metavar="tasks|attentions|filters|protocols",
        help="default: all of them",
    )
    parser.add_argument(
        "--task", nargs="+", metavar="TASK", help="protocols of these; default: all"
    )
    add_plugins(parser)
    return parser


def check_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} check",
        description="Holds an attention to the contract: the matrix of its reference, padding that "
        "never leaks, what it declares of itself. Prints a verdict for each check, with the input "
        "that shows a failure; status 1 where one fails.",
    )
    parser.add_argument(
        "attention", metavar="SPEC", help="attention[:key=value,...][+filter[:key=value,...]]..."
    )
    add_plugins(parser)
    return parser
