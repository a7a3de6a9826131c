"""What can be typed, a parser a command."""

from lra.cli.parsers.figures import figure_parser
from lra.cli.parsers.inspect import check_parser, list_parser
from lra.cli.parsers.measure import measure_parser
from lra.cli.parsers.prepare import prepare_parser
from lra.cli.parsers.records import results_parser
from lra.cli.parsers.results import evaluate_parser, table_parser
from lra.cli.parsers.run import EXAMPLES, run_parser
from lra.cli.parsers.shared import PROGRAM

__all__ = [
    "EXAMPLES",
    "PROGRAM",
    "check_parser",
    "evaluate_parser",
    "figure_parser",
    "list_parser",
    "measure_parser",
    "prepare_parser",
    "results_parser",
    "run_parser",
    "table_parser",
]
