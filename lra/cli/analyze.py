"""`analyze`: what the attention layers of finished runs do."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from attention_zoo import UsageError
from attention_zoo.errors import one_line
from lra.cli.common import say
from lra.cli.options import PROGRAM, Parser, add
from lra.cli.values import length, positive
from lra.failures import RunFailure
from lra.system import interrupts

EXAMPLES = 16


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} analyze",
        "Looks at the attention layers of finished runs on a fixed subset of the validation split: "
        "learned weights, spectra, frequency responses, smoothing through depth, Taylor against "
        "power. Prints tables and leaves analysis.json beside each record, which `figure` and "
        "`report` draw.",
    )
    add(made, "run", nargs="+")
    about = "of the validation split, the same for all runs; default: %(default)s"
    made.add_argument("--examples", metavar="N", type=positive, default=EXAMPLES, help=about)
    about = "cut each sequence to its first N tokens, for an attention that has to write down its "
    about += "Ā (N×N); default: whole sequences"
    made.add_argument("--length", metavar="N", type=length, help=about)
    about = "put Taylor and power in each other's place on the subset alone, not on the test split"
    made.add_argument("--no-test", action="store_true", help=about)
    add(made, "--accelerator", default=None, help="default: the record's")
    add(made, "--plugin", "--data-dir", "--results")
    return made


def carry_out(options: argparse.Namespace) -> int:
    """A run that is refused is a line, and the others go on; the last one says that it was."""
    from lra.results.reading import find_finished

    folders: dict[Path, None] = {}
    refused: list[UsageError] = []
    names = dict.fromkeys(options.run)
    for name in names:
        try:
            folders[find_finished(name, options.results)] = None
        except UsageError as error:
            refused.append(skip(error, alone=len(names) == 1))
    for folder in folders:
        try:
            with interrupts.obeyed():
                look_at(folder, options)
        except UsageError as error:
            refused.append(skip(error, f"{folder.name}: ", alone=len(names) == 1))
    if refused:
        failed = all(isinstance(error, RunFailure) for error in refused)
        what = f"{len(refused)} of {len(names)} runs could not be analysed, for the reasons above"
        raise (RunFailure if failed else UsageError)(what)
    return 0


def skip(error: UsageError, run: str = "", *, alone: bool) -> UsageError:
    """Says why a run is left out; raises what stopped the only one."""
    if alone:
        raise error
    say(f"skipped: {run}{one_line(error)}")
    return error


def look_at(folder: Path, options: argparse.Namespace) -> None:
    from lra.analysis.run import analyze  # with Lightning, whose import takes seconds
    from lra.results.analysis import write_analysis
    from lra.results.tables import render
    from lra.results.tables.analysis import analysis_tables

    found = analyze(
        folder,
        options.data_dir,
        examples=options.examples,
        length=options.length,
        test=not options.no_test,
        accelerator=options.accelerator,
        plugins=tuple(options.plugin),
        say=say,
        progress=progress(folder),
    )
    print(render(analysis_tables(found), "github"))
    say(f"written: {write_analysis(folder, found)}")


def progress(folder: Path) -> Callable[[str], None]:
    """Lines for a person who waits; nothing in a file."""
    shown = sys.stderr.isatty()
    return lambda line: say(f"{folder.name}: {line}") if shown else None
