"""`evaluate`: a finished run's checkpoint, evaluated again."""

import argparse

from lra.cli.options import PROGRAM, Parser, add
from lra.failures import RunFailure
from lra.system import interrupts


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} evaluate",
        "Evaluates a finished run's checkpoint again; fails where the figure is not the one on "
        "record.",
    )
    add(made, "run", "--split")
    add(made, "--accelerator", default=None, help="default: the record's")
    add(made, "--plugin", "--data-dir", "--results")
    return made


def carry_out(options: argparse.Namespace) -> int:
    from lra.results.reading import find_finished

    folder = find_finished(options.run, options.results)
    from lra.evaluate import evaluate  # with Lightning, whose import takes seconds
    from lra.results.details import figures

    with interrupts.obeyed():
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
