"""The commands of `results`."""

import argparse
import sys
from collections.abc import Callable

from attention_zoo import UsageError
from attention_zoo.errors import unknown
from lra.cli.common import say
from lra.cli.reading import asked_for, none_on_record, on_record
from lra.cli.results.text import shown, shown_json
from lra.results.comparable import Recorded
from lra.results.reading import Run, find_run, record_file
from lra.results.record import read_record
from lra.results.removal import own_run, remove, require_idle
from lra.results.table import Table
from lra.results.tables import render
from lra.results.tables.runs import COLUMNS

CHOSEN_BY: dict[str, Callable[[Recorded], object]] = {
    "task": lambda record: record.task,
    "protocol": lambda record: record.protocol.name,
    "seed": lambda record: record.seed,
}


def list_runs(options: argparse.Namespace) -> int:
    """A row each of the runs that are asked for; UsageError for a value that none has."""
    found = on_record(options.results)
    if not found:
        raise none_on_record(options.results)
    known = {record.attention for _, record in found}
    attentions = asked_for(options.attn, known, {record.protocol for _, record in found})
    kept = [(folder, record) for folder, record in found if record.attention in attentions]
    for what, value_of in CHOSEN_BY.items():
        there = {value_of(record) for _, record in found}
        values = getattr(options, what) or there
        for value in values:
            if value not in there:
                raise unknown(f"{what} on record", str(value), map(str, there))
        kept = [(folder, record) for folder, record in kept if value_of(record) in values]
    if not kept:
        raise UsageError("no run on record is all that was asked for")
    runs = [Run(folder.name, record) for folder, record in kept]
    print(render([Table.of("runs", "Runs on record", COLUMNS, runs)], "github"), end="")
    return 0


def show_run(options: argparse.Namespace) -> int:
    folder = find_run(options.run, options.results)
    record = read_record(record_file(folder))
    print(shown_json(record) if options.json else shown(folder, record))
    return 0


def remove_runs(options: argparse.Namespace) -> int:
    found = [own_run(find_run(name, options.results), options.results) for name in options.run]
    folders = list(dict.fromkeys(found))
    for folder in folders:
        require_idle(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        say(f"{folder}: {len(files)} files, {size / 1e6:,.1f} MB")
    count = f"{len(folders)} run{'s' * (len(folders) != 1)}"
    if not options.yes:
        if not sys.stdin.isatty():
            raise UsageError("rm asks before it deletes, and there is no terminal: add --yes")
        if not agreed(f"delete {count}? [y/N] "):
            say("nothing deleted")
            return 1
    for folder in folders:
        remove(folder, say)
    say(f"deleted {count}")
    return 0


def agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": list_runs,
    "show": show_run,
    "rm": remove_runs,
}
