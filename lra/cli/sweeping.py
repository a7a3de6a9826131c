"""`--by`: what is on record by the values of an option."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attention_zoo import UsageError
from lra.cli.common import say

if TYPE_CHECKING:
    from lra.results.comparable import Recorded
    from lra.results.distances import Distances
    from lra.results.figures.chart import Chart
    from lra.results.tables import Table

Runs = Iterable[tuple[Path, "Recorded"]]  # with the folder of each


def require_alone(option: str | None, what: str, others: Sequence[str]) -> None:
    """Raises UsageError where --by stands beside kinds of tables or figures."""
    if option is not None and others:
        raise UsageError(f"--by makes a {what} of its own: leave out {', '.join(others)}")


def tables_by(option: str, runs: Runs, arguments: str) -> "list[Table]":
    """arguments: besides `--by` of what prints them again."""
    from lra.results.tables.by import by_tables

    known = registered(runs)
    command = f"python run_lra.py table --by {option}{arguments}"
    return by_tables(option, [record for _, record in known], distances_of(known), command)


def charts_by(option: str, runs: Runs) -> "list[Chart]":
    """None of none."""
    from lra.results.figures.by import by_charts

    known = registered(runs)
    if not known:
        return []
    return by_charts(option, [record for _, record in known], distances_of(known))


def registered(runs: Runs) -> "list[tuple[Path, Recorded]]":
    """Those whose attention is registered here, so that its options are known; others are named."""
    from attention_zoo import parse_spec  # with torch

    runs, foreign = list(runs), set()
    for attention in {record.attention for _, record in runs}:
        try:
            parse_spec(attention)
        except UsageError:
            foreign.add(attention)
    for attention in sorted(foreign):
        say(f"skipped: {attention} is not registered here; --plugin MODULE has those of others")
    return [(folder, record) for folder, record in runs if record.attention not in foreign]


def distances_of(runs: Runs) -> "Distances":
    """Of a filter's Taylor form from the true power, by id of the records of the runs that were
    analysed; what cannot be read is named."""
    from lra.cli.reading import beside
    from lra.results.distances import taylor_distance

    found = {id(record): beside(taylor_distance, folder, record) for folder, record in runs}
    return {key: known for key, known in found.items() if known is not None}
