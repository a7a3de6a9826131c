"""`evaluate`: a finished run's checkpoint, evaluated again, as it is or under corruptions."""

import argparse
from pathlib import Path

from attention_zoo import UsageError
from attention_zoo.errors import unknown
from lra.cli.common import say
from lra.cli.options import PROGRAM, Parser, add
from lra.corruptions import CORRUPTIONS, LEFT_OUT, SEVERITIES
from lra.failures import RunFailure
from lra.system import interrupts

ALL = "all"


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} evaluate",
        "Evaluates a finished run's checkpoint again; fails where the accuracy is not the one on "
        "record. With --corruption: evaluates it on corrupted test images instead, and keeps the "
        "results beside the record.",
        require_corruptions,
    )
    add(made, "run", "--split", "--corruption", "--severity")
    add(made, "--rerun", help="with --corruption: evaluate again what is on record")
    add(made, "--accelerator", default=None, help="default: the record's")
    add(made, "--plugin", "--data-dir", "--results")
    return made


def require_corruptions(options: argparse.Namespace) -> None:
    """Raises UsageError for a corruption that there is not, and for options that do not go
    together."""
    for name in options.corruption:
        if name in LEFT_OUT:
            raise UsageError(f"--corruption {name} is left out: it {LEFT_OUT[name]}")
        if name not in (ALL, *CORRUPTIONS):
            raise unknown("corruption", name, (ALL, *CORRUPTIONS))
    if options.corruption and options.split != "test":
        raise UsageError(f"--corruption is of the test split; leave --split {options.split} out")
    if not options.corruption and (options.severity or options.rerun):
        option = "--severity" if options.severity else "--rerun"
        raise UsageError(f"{option} goes with --corruption, e.g. --corruption all")


def carry_out(options: argparse.Namespace) -> int:
    from lra.results.reading import find_finished

    folder = find_finished(options.run, options.results)
    if options.corruption:
        with interrupts.obeyed("the same command goes on with what is not on record"):
            return corrupted(folder, options)
    with interrupts.obeyed():
        return clean(folder, options)


def clean(folder: Path, options: argparse.Namespace) -> int:
    from lra.evaluate import evaluate  # with Lightning, whose import takes seconds
    from lra.results.details import figures

    record, now = evaluate(
        folder,
        options.data_dir,
        options.split,
        accelerator=options.accelerator,
        plugins=tuple(options.plugin),
    )
    about = f"{record.task} {record.attention} seed {record.seed}, {options.split}"
    print(f"{about}: accuracy {figures(now)}")
    if options.split == "train":
        return 0
    then = getattr(record, options.split)
    if (then.accuracy, then.count) != (now.accuracy, now.count):
        raise RunFailure(
            f"the record says {100 * then.accuracy:.2f} % of {then.count:,}, on "
            f"{record.environment.device} with torch {record.environment.versions['torch']}"
        )
    print("the same as on record")
    return 0


def corrupted(folder: Path, options: argparse.Namespace) -> int:
    from lra.corruptions.evaluate import evaluate_corruptions
    from lra.results.tables import render
    from lra.results.tables.corruptions import corruption_table

    asked = CORRUPTIONS if ALL in options.corruption else options.corruption
    names = [name for name in CORRUPTIONS if name in asked]
    severities = sorted(set(options.severity or SEVERITIES))
    record, found = evaluate_corruptions(
        folder,
        options.data_dir,
        names,
        severities,
        say,
        again=options.rerun,
        accelerator=options.accelerator,
        plugins=tuple(options.plugin),
    )
    wanted = [(name, severity) for name in names for severity in severities]
    print(render([corruption_table(record, found, wanted)], "github"), end="")
    return 0
