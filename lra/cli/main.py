"""From what was typed to an exit status: 0 done, 1 failed, 2 a user's mistake, 130 interrupted."""

import os
import sys
from collections.abc import Sequence

import gfsa  # noqa: F401 (registers the filter in a plain checkout)
from attention_zoo import UsageError
from attention_zoo.errors import one_line, unknown
from lra.allocator import keep_freed_memory
from lra.cli import commands, listings, parsers

COMMANDS = {
    "list": (parsers.list_parser, listings.list_all),
    "prepare": (parsers.prepare_parser, commands.prepare_data),
    "measure": (parsers.measure_parser, commands.measure_variants),
    "table": (parsers.table_parser, commands.print_table),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; a mistake is one line on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    keep_freed_memory()
    try:
        make_parser, command = parsers.run_parser, commands.run_variants
        if words and not words[0].startswith("-"):
            if words[0] not in COMMANDS:
                raise unknown("command", words[0], COMMANDS)
            make_parser, command = COMMANDS[words.pop(0)]
        elif not words:
            make_parser().print_help()
            return 2
        return command(make_parser().parse_args(words))
    except UsageError as error:
        return _fail(one_line(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'input/output'}: {error.strerror or one_line(error)}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing of this run was put on record", 130)


def _fail(line: str, status: int) -> int:
    print(f"{parsers.PROGRAM}: error: {line}", file=sys.stderr)
    return status
