"""Tables from what is on record. A kind of table is a list of `Column`s (its COLUMNS): accuracy,
pairs, cost, fractions, corruptions,
published, the list of runs, and `measure`'s sheets. `lra.results.table` has
what formats and the report read."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from lra.results.comparable import Recorded
from lra.results.corruptions import Corruptions, Weights
from lra.results.summary import accuracy_groups, cost_groups
from lra.results.table import Table
from lra.results.tables.accuracy import accuracy_tables
from lra.results.tables.corruptions import corruption_tables
from lra.results.tables.cost import cost_tables
from lra.results.tables.formats import FORMATS, render
from lra.results.tables.fractions import fraction_tables
from lra.results.tables.pairs import pair_tables
from lra.results.tables.published import published_tables

KINDS = ("accuracy", "pairs", "cost", "fractions", "corruptions")
NONE: Mapping[Weights, Corruptions] = MappingProxyType({})

__all__ = ["FORMATS", "KINDS", "Table", "published_tables", "render", "tables_of"]


def tables_of(
    records: Iterable[Recorded],
    kinds: Sequence[str] = KINDS,
    arguments: str | None = None,
    corrupted: Mapping[Weights, Corruptions] = NONE,
) -> list[Table]:
    """The tables of these kinds that have rows, whatever the order of the records.

    arguments: of `run_lra.py table KIND` that print them again, for their footers. corrupted: what
    is on record of runs under corruptions.
    """
    records = list(records)
    groups, costs = accuracy_groups(records), cost_groups(records)
    make = {
        "accuracy": lambda command: accuracy_tables(groups, command),
        "pairs": lambda command: pair_tables(groups, costs, command),
        "cost": lambda command: cost_tables(costs, command),
        "fractions": lambda command: fraction_tables(groups, command),
        "corruptions": lambda command: corruption_tables(groups, corrupted, command),
    }
    printed = "" if arguments is None else "python run_lra.py table {}" + arguments
    return [table for kind in kinds for table in make[kind](printed.format(kind) or None)]
