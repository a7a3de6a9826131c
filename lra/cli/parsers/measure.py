"""What can be typed to measure."""

from lra.cli.parsers.shared import PROGRAM, Parser, add_data, add_variants


def measure_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} measure",
        description="Time and memory of variants, each in a process of its own, without training.",
    )
    add_variants(parser)
    add_data(parser)
    return parser
