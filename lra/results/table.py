"""A table as data: what every format of it is made from."""

from dataclasses import dataclass

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """value: what is sorted and compared, None where nothing is. text: how people read it.
    best: of its column. notes: keys of Table.notes, its marks."""

    text: str
    value: float | str | None = None
    best: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """kind: accuracy, pairs, cost or published. title: one line. caption: what is in it, sentences.
    footer: where its numbers are from: machine, versions, commit. notes: mark -> what it means.
    numbers: the rows as CSV has them, a dict a row."""

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: tuple[str, ...]
    footer: tuple[str, ...]
    notes: dict[str, str]
    numbers: tuple[dict[str, object], ...]
