"""From what was typed to an exit status: 0 done, 1 failed, 2 a user's mistake, 128 + a signal."""

import atexit
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from attention_zoo import UsageError
from attention_zoo.errors import one_line, unknown
from lra.cli.options import PROGRAM
from lra.failures import RunFailure
from lra.system.allocator import keep_few_kernels, keep_freed_memory
from lra.system.interrupts import Stopped

LONGEST = 800  # letters of an error's line
RUN = "run"  # what is done where no command is named
COMMANDS = {
    "list": "tasks, attentions and what they support here, filters, protocols",
    "check": "whether an attention, yours for one, keeps the contract",
    "prepare": "make a task's data, or verify what is there",
    "measure": "time and memory of variants over N, without training",
    "analyze": "what finished runs' attentions and filters do: spectra, smoothing, weights",
    "evaluate": "a finished run's checkpoint, evaluated again",
    "results": "list, show and remove runs on record",
    "table": "tables from the runs on record",
    "figure": "figures from what is on record: bubble, growth, curves, tasks, …",
    "report": "one page of them to explore: tables, figures, each run",
}


def command(name: str) -> ModuleType:
    """The module of lra.cli with a command's `parser()` and its `carry_out(options)`."""
    return importlib.import_module(f"lra.cli.{name}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; a mistake is one line on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words:
            command(RUN).parser().print_help()
            return 2
        name = RUN if words[0].startswith("-") else words.pop(0)
        if name not in (RUN, *COMMANDS):
            raise unknown("command", name, COMMANDS)
        module = command(name)
        options = module.parser().parse_args(words)
        # torch takes seconds to import: `--help` and a mistyped line do not wait for it.
        keep_few_kernels()
        keep_freed_memory()
        # A last search for garbage takes a second with torch loaded; the system takes all anyway.
        atexit.register(gc.freeze)
        return module.carry_out(options)
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
    if len(line) > LONGEST:  # of a word of thousands of letters, or an exception that repeats one
        line = f"{line[: LONGEST // 2]}...{line[-LONGEST // 2 :]}"
    print(f"{PROGRAM}: error: {line}", file=sys.stderr)
    return status
