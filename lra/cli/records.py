"""`results`: what is on record, looked at, thinned out and brought together."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tabulate import tabulate

from attention_zoo import UsageError
from attention_zoo.errors import unknown
from lra.cli.common import say
from lra.cli.reading import canonical, none_on_record, on_record
from lra.cli.record_text import accuracy, shown, shown_json
from lra.results.comparable import Recorded
from lra.results.merge import merge
from lra.results.record import RUNS, Record, read_record, record_file
from lra.results.runs import find_run, remove, require_idle


def manage(options: argparse.Namespace) -> int:
    if options.what is None:
        print(options.help(), end="")
        return 2
    return COMMANDS[options.what](options)


def list_runs(options: argparse.Namespace) -> int:
    found = on_record(options.results)
    if not found:
        raise none_on_record(options.results)
    known = {record.attention for _, record in found}
    asked = {
        "task": options.task,
        "attention": options.attn and [canonical(spec, known) for spec in options.attn],
        "protocol": options.protocol,
        "seed": options.seed,
    }
    kept = found
    for what, values in asked.items():
        kept = selected(kept, what, values)
    if kept:
        rows = [row(folder, record) for folder, record in kept]
        print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))
    return 0


def selected(
    runs: list[tuple[Path, Recorded]], what: str, values: list[object] | None
) -> list[tuple[Path, Recorded]]:
    """The runs of which `what` is among `values`, where any are given; UsageError for a value that
    none has."""
    if values is None:
        return runs
    there = {value_of(record, what) for _, record in runs}
    for value in values:
        if value not in there:
            raise unknown(f"{what} on record", str(value), map(str, there))
    return [(folder, record) for folder, record in runs if value_of(record, what) in values]


def value_of(record: Recorded, what: str) -> object:
    return record.protocol.name if what == "protocol" else getattr(record, what)


def row(folder: Path, record: Recorded) -> dict[str, object]:
    changed = " modified" if record.modified else ""
    return {
        "run": folder.name,
        "task": record.task,
        "attention": record.attention,
        "seed": record.seed,
        "protocol": record.protocol.name + changed,
        "test accuracy": accuracy(record) if isinstance(record, Record) else record.kind,
        "finished": record.finished[:16].replace("T", " "),
        "machine": record.environment.device,
    }


def show_run(options: argparse.Namespace) -> int:
    folder = find_run(options.run, options.results)
    record = read_record(record_file(folder))
    print(shown_json(record) if options.json else shown(folder, record))
    return 0


def remove_runs(options: argparse.Namespace) -> int:
    found = [os.path.abspath(find_run(name, options.results)) for name in options.runs]
    folders = [Path(path) for path in dict.fromkeys(found)]
    for folder in folders:
        require_idle(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        say(f"{folder}: {len(files)} files, {size / 1e6:,.1f} MB")
    if not options.yes:
        if not sys.stdin.isatty():
            raise UsageError("rm asks before it deletes, and there is no terminal: add --yes")
        question = "delete this run? [y/N] " if len(folders) == 1 else "delete these runs? [y/N] "
        if not agreed(question):
            say("nothing deleted")
            return 1
    for folder in folders:
        remove(folder, say)
    say(f"deleted {runs(folders)}")
    return 0


def agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def merge_runs(options: argparse.Namespace) -> int:
    merged = merge(options.sources, options.results, say)
    for folder in merged.came:
        print(f"came: {folder}")
    for folder in merged.unfinished:
        say(f"left where it is: what is unfinished in {folder}")
    for line in merged.skipped:
        say(f"skipped: {line}")
    print(
        f"{runs(merged.came)} came, {runs(merged.there)} were there already, "
        f"{len(merged.skipped)} skipped: {options.results / RUNS}"
    )
    return 0


def runs(folders: Iterable[Path]) -> str:
    count = len(list(folders))
    return f"{count} run" + "s" * (count != 1)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": list_runs,
    "show": show_run,
    "rm": remove_runs,
    "merge": merge_runs,
}
