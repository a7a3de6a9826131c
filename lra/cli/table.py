"""`table`: what is on record, as tables."""

import argparse

from attention_zoo import UsageError
from lra.cli.common import say
from lra.cli.options import PROGRAM, Parser, add, add_of_records, require_tasks
from lra.cli.values import one_of

TABLES = ("accuracy", "pairs", "cost")


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} table",
        "Tables from the runs on record: accuracy (attentions × tasks), pairs (an attention with a "
        "filter against without), cost (time, memory, parameters); or what the values of an option "
        "do (--by).",
        settle,
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


def settle(options: argparse.Namespace) -> None:
    """Raises UsageError for what does not go together."""
    require_tasks(options)
    others = [*options.kinds, *["--published"] * options.published]
    if options.by is not None and others:
        raise UsageError(f"--by makes a table of its own: leave out {', '.join(others)}")


def carry_out(options: argparse.Namespace) -> int:
    from lra.cli.reading import (
        asked_for,
        distances_of,
        none_on_record,
        on_record,
        registered,
        spelled,
    )
    from lra.results.published import read_published
    from lra.results.summary import accuracy_groups
    from lra.results.tables import KINDS, Table, by_tables, published_tables, render, tables_of
    from lra.system.files import whole

    if options.out is not None and not options.out.parent.is_dir():
        raise UsageError(f"--out {options.out}: there is no folder {options.out.parent}")
    runs = on_record(options.results, options.task)
    if not runs:
        raise none_on_record(options.results, options.task)
    known = {record.attention for _, record in runs}
    wanted = asked_for(options.attn, known, {record.protocol for _, record in runs})
    runs = [(folder, record) for folder, record in runs if record.attention in wanted]
    records = [record for _, record in runs]
    arguments = spelled(options.task, options.results, options.attn)
    tables: list[Table] = []
    reasons: list[str] = []
    if options.by is not None:
        command = f"python run_lra.py table --by {options.by}{arguments}"
        known_here = registered(runs)
        distances = distances_of(known_here)
        tables += by_tables(options.by, [one for _, one in known_here], distances, command)
    elif options.kinds or not options.published:
        tables += tables_of(records, options.kinds or KINDS, arguments)
    if options.published:
        command = f"python run_lra.py table --published{arguments}"
        beside, reasons = published_tables(accuracy_groups(records), read_published(), command)
        tables += beside
        if not beside:
            reasons.insert(0, "nothing on record may stand beside published figures")
    elif not tables:
        raise UsageError(f"nothing on record for {' or '.join(options.kinds)}")
    if not tables:
        print("\n".join(reasons))
        return 0
    text = render(tables, options.format)
    if options.out is None:
        print(text, end="")
    else:
        with whole(options.out) as file:
            file.write(text.encode())
    for reason in reasons:
        say(reason)
    return 0
