"""A table as data: columns that read rows, and the cells that every format is made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from lra.results.numbers import MISSING, readable

Value = str | int | float | bool | None
R, Outer = TypeVar("R"), TypeVar("Outer")


@dataclass(frozen=True)
class Note:
    """A mark beside figures and what it means. best: whether a marked figure may be the best."""

    mark: str
    text: str
    best: bool = True


@dataclass(frozen=True)
class Cell:
    """value: what is sorted and compared, None where there is none. text: how people read it.
    best: of its column. notes: its marks, keys of Table.notes."""

    text: str
    value: Value = None
    best: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a kind of table: an entry in its list is all that it takes.

    name, unit: its header. value: its figure of a row, which CSV has in full; None shows as a dash.
    format: how the figure is read. more: what follows it in the cell, such as its spread. best:
    `max` or `min`, where the best figure is bold. separable: where False, the cell says so. notes:
    the marks of a row's figure. key: its name in CSV, by default the header. shown: False for CSV
    alone; a function says it of the table's rows.
    """

    name: str
    value: Callable[[R], Value]
    unit: str = ""
    format: Callable[[Any], str] = readable
    more: Callable[[R], str] = lambda row: ""
    best: Callable[..., Any] | None = None
    separable: Callable[[R], bool | None] = lambda row: None
    notes: Callable[[R], Sequence[Note]] = lambda row: ()
    key: str = ""
    shown: bool | Callable[[Sequence[R]], bool] = True

    @property
    def header(self) -> str:
        return f"{self.name} {self.unit}".strip()

    def within(self, header: str, inner: Callable[[Outer], R | None]) -> "Column[Outer]":
        """The same column of a part of a row; a dash where the row has no such part."""

        def read(what: Callable[[R], Any], absent: Any = None) -> Callable[[Outer], Any]:
            return lambda row: absent if (part := inner(row)) is None else what(part)

        given: Any = {"value": read(self.value), "more": read(self.more, "")}
        given |= {"separable": read(self.separable), "notes": read(self.notes, ())}
        return replace(self, name=header, unit="", **given)

    def cell(self, row: R, best: str | None = None) -> Cell:
        """best: how the best figure reads."""
        value, notes = self.value(row), self.notes(row)
        figure = MISSING if value is None else self.format(value)
        text = figure + self.more(row)
        text += ", not separable" if self.separable(row) is False else ""
        wins = figure == best and all(note.best for note in notes)
        return Cell(text, value, wins, tuple(note.mark for note in notes))

    def cells(self, rows: Sequence[R]) -> list[Cell]:
        """The best of two or more is marked, and all that read the same as it."""
        figures = [row for row in rows if self.value(row) is not None]
        able = [self.value(row) for row in figures if all(note.best for note in self.notes(row))]
        compared = self.best is not None and len(figures) > 1 and able
        return [self.cell(row, self.format(self.best(able)) if compared else None) for row in rows]


@dataclass(frozen=True)
class Table:
    """kind: accuracy, pairs, cost, published, … title: one line. columns: headers. caption: what is
    in it, sentences. footer: where its numbers are from: machine, versions, commit. notes: mark ->
    what it means. numbers: the rows of its CSV, a dict a row."""

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    numbers: tuple[dict[str, Value], ...] = ()

    @classmethod
    def of(
        cls,
        kind: str,
        title: str,
        columns: Sequence[Column[R]],
        rows: Sequence[R],
        caption: Sequence[str] = (),
        footer: Sequence[str] = (),
        below: Sequence[R] = (),
        numbers: Sequence[dict[str, Value]] | None = None,
    ) -> "Table":
        """below: rows after the others that are not compared with them. numbers: where they are not
        the values of every column, shown or not."""
        shown = [c for c in columns if (c.shown(rows) if callable(c.shown) else c.shown)]
        made = [column.cells(rows) + [column.cell(row) for row in below] for column in shown]
        notes = [note for column in shown for row in (*rows, *below) for note in column.notes(row)]
        return cls(
            kind,
            title,
            tuple(column.header for column in shown),
            tuple(zip(*made, strict=True)),
            tuple(caption),
            tuple(footer),
            {note.mark: note.text for note in notes},
            tuple(values(columns, rows) if numbers is None else numbers),
        )

    @classmethod
    def plain(cls, title: str, rows: Sequence[Mapping[str, Value]]) -> "Table":
        """Of rows that have their values by column."""
        names = dict.fromkeys(name for row in rows for name in row)
        columns = [Column(name, lambda row, name=name: row.get(name)) for name in names]
        return cls.of("plain", title, columns, rows)

    @cached_property
    def numeric(self) -> list[bool]:
        """Which columns are of numbers: they are aligned to the right."""
        columns = zip(*self.rows, strict=True)
        return [any(isinstance(cell.value, int | float) for cell in cells) for cells in columns]


def values(columns: Sequence[Column[R]], rows: Sequence[R]) -> list[dict[str, Value]]:
    """The rows as CSV has them."""
    return [{column.key or column.header: column.value(row) for column in columns} for row in rows]
