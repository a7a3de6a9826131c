"""From what was typed to an exit status: 0 done, 1 failed, 2 a user's mistake, 128 + a signal."""

import importlib
import os
import sys
from collections.abc import Sequence

from attention_zoo import UsageError
from attention_zoo.errors import one_line, unknown
from lra.cli import parsers
from lra.failures import RunFailure
from lra.system.allocator import keep_freed_memory
from lra.system.interrupts import Stopped

# A command's parser, and the module of lra.cli and its function that carry it out.
RUN = (parsers.run_parser, "running", "run_variants")
COMMANDS = {
    "list": (parsers.list_parser, "listings", "list_all"),
    "check": (parsers.check_parser, "checking", "check_attention"),
    "prepare": (parsers.prepare_parser, "commands", "prepare_data"),
    "measure": (parsers.measure_parser, "measuring", "measure_variants"),
    "evaluate": (parsers.evaluate_parser, "running", "evaluate_run"),
    "results": (parsers.results_parser, "records", "manage"),
    "table": (parsers.table_parser, "tables", "print_tables"),
    "figure": (parsers.figure_parser, "figures", "draw_figures"),
    "report": (parsers.report_parser, "reporting", "make_report"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; a mistake is one line on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words:
            parsers.run_parser().print_help()
            return 2
        name = None if words[0].startswith("-") else words.pop(0)
        if name is not None and name not in COMMANDS:
            raise unknown("command", name, COMMANDS)
        parser, module, function = COMMANDS.get(name, RUN)
        options = parser().parse_args(words)
        # Lightning takes seconds to import: `--help`, a mistyped line and `list` do not wait.
        keep_freed_memory()
        return getattr(importlib.import_module(f"lra.cli.{module}"), function)(options)
    except RunFailure as error:
        return _fail(one_line(error), 1)
    except UsageError as error:
        return _fail(one_line(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'input/output'}: {error.strerror or one_line(error)}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Stopped as stop:
        return _fail(f"stopped; {stop.then}", 128 + stop.number)


def _fail(line: str, status: int) -> int:
    print(f"{parsers.PROGRAM}: error: {line}", file=sys.stderr)
    return status
