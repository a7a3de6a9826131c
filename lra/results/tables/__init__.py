"""Tables from run records alone."""

from collections.abc import Iterable, Sequence

from lra.results.comparable import Recorded
from lra.results.summary import accuracy_groups, cost_groups
from lra.results.table import Table
from lra.results.tables.accuracy import accuracy_tables
from lra.results.tables.cost import cost_tables
from lra.results.tables.formats import FORMATS, render
from lra.results.tables.pairs import pair_tables
from lra.results.tables.published import published_tables

KINDS = ("accuracy", "pairs", "cost")


def tables_of(
    records: Iterable[Recorded], kinds: Sequence[str] = KINDS, arguments: str | None = None
) -> list[Table]:
    """The tables of these kinds that have rows, whatever the order of the records.

    arguments: of `run_lra.py table KIND` that print them again, for their footers.
    """
    records = list(records)
    groups, costs = accuracy_groups(records), cost_groups(records)

    def command(kind: str) -> str | None:
        return None if arguments is None else f"python run_lra.py table {kind}{arguments}"

    make = {
        "accuracy": lambda: accuracy_tables(groups, command("accuracy")),
        "pairs": lambda: pair_tables(groups, costs, command("pairs")),
        "cost": lambda: cost_tables(costs, command("cost")),
    }
    return [table for kind in kinds for table in make[kind]()]


__all__ = ["FORMATS", "KINDS", "Table", "published_tables", "render", "tables_of"]
