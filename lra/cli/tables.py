"""`table`: what is on record, as tables."""

import argparse
import shlex
from collections.abc import Iterable
from pathlib import Path

from attention_zoo import UsageError
from attention_zoo.errors import unknown
from lra.cli.common import say
from lra.cli.reading import none_on_record, on_record
from lra.results.published import read_published
from lra.results.summary import accuracy_groups
from lra.results.tables import KINDS, Table, published_tables, render, tables_of
from lra.system.files import whole
from lra.tasks import get_task


def print_tables(options: argparse.Namespace) -> int:
    for kind in options.kinds:
        if kind not in KINDS:
            raise unknown("table", kind, KINDS)
    for task in options.task or ():
        get_task(task)
    if options.out is not None and not options.out.parent.is_dir():
        raise UsageError(f"--out {options.out}: there is no folder {options.out.parent}")
    records = [record for _, record in on_record(options.results, options.task)]
    if not records:
        raise none_on_record(options.results, options.task)
    arguments = spelled(options.task, options.results)
    tables: list[Table] = []
    if options.kinds or not options.published:
        tables += tables_of(records, options.kinds or KINDS, arguments)
    reasons: list[str] = []
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


def spelled(tasks: Iterable[str] | None, results: Path) -> str:
    """The arguments that print the tables of these tasks again; no path of one machine."""
    words = ["--task", *tasks] if tasks else []
    if results != Path("results"):
        words += ["--results", "DIR" if results.is_absolute() else str(results)]
    return "".join(f" {shlex.quote(word)}" for word in words)
