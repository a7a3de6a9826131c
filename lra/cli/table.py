"""`table`: what is on record, as tables."""

import argparse
from pathlib import Path

from attention_zoo import UsageError
from lra.cli.common import say
from lra.cli.options import PROGRAM, Parser, add, add_of_records, require_tasks
from lra.cli.sweeping import require_alone, tables_by
from lra.cli.values import one_of

TABLES = ("accuracy", "pairs", "cost", "fractions", "corruptions")

HINTS = {
    "fractions": "train with --train-fraction 0.1 1",
    "corruptions": "`evaluate RUN --corruption all` evaluates a run",
}


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} table",
        "Tables from the runs on record: accuracy (attentions × tasks), pairs (an attention with a "
        "filter against without), cost (time, memory, parameters), fractions (accuracy by "
        "--train-fraction), corruptions (accuracy by severity, after `evaluate --corruption`).",
        require_tasks,
    )
    made.add_argument(
        "kinds",
        nargs="*",
        type=one_of("table", TABLES),
        metavar="|".join(TABLES),
        help="default: all that have rows; CSV takes one",
    )
    add_of_records(made)
    add(made, "--attn", required=False, help="these alone; default: all on record")
    add(made, "--by", "--published", "--format")
    add(made, "--out", help="default: standard output")
    return made


def carry_out(options: argparse.Namespace) -> int:
    from lra.cli.reading import corrupted, none_on_record, of_attentions, on_record, spelled
    from lra.results.published import read_published
    from lra.results.summary import accuracy_groups
    from lra.results.tables import KINDS, Table, published_tables, render, tables_of

    require_alone(options.by, "table", options.kinds + ["--published"] * options.published)
    if options.out is not None and not options.out.parent.is_dir():
        raise UsageError(f"--out {options.out}: there is no folder {options.out.parent}")
    runs = on_record(options.results, options.task)
    records = [record for _, record in runs]
    if not records:
        raise none_on_record(options.results, options.task)
    runs = of_attentions(runs, options.attn)
    records = [record for _, record in runs]
    arguments = spelled(options.task, options.results, options.attn)
    if options.by is not None:
        write(render(tables_by(options.by, runs, arguments), options.format), options.out)
        return 0
    tables: list[Table] = []
    if options.kinds or not options.published:
        kinds = options.kinds or KINDS
        tables += tables_of(records, kinds, arguments, corrupted(runs, kinds))
    reasons: list[str] = []
    if options.published:
        command = f"python run_lra.py table --published{arguments}"
        beside, reasons = published_tables(accuracy_groups(records), read_published(), command)
        tables += beside
        if not beside:
            reasons.insert(0, "nothing on record may stand beside published figures")
    elif not tables:
        kinds = options.kinds or KINDS
        hints = [f"{kind}: {HINTS[kind]}" for kind in options.kinds if kind in HINTS]
        raise UsageError("; ".join([f"nothing on record for {' or '.join(kinds)}", *hints]))
    if not tables:
        print("\n".join(reasons))
        return 0
    write(render(tables, options.format), options.out)
    for reason in reasons:
        say(reason)
    return 0


def write(text: str, path: Path | None) -> None:
    """To a file, whole, or to standard output."""
    from lra.system.files import whole

    if path is None:
        print(text, end="")
        return
    with whole(path) as file:
        file.write(text.encode())
