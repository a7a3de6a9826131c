"""Tables as the page carries them."""

from collections.abc import Sequence
from typing import Any

from lra.results.report.data import facts
from lra.results.report.embed import rounded
from lra.results.table import Cell, Table


def embedded_table(table: Table, links: Sequence[str | None] = ()) -> dict[str, Any]:
    """facts: what each row is chosen by. links: the run to which each row's first cell leads."""
    return {
        "kind": table.kind,
        "title": table.title,
        "columns": table.columns,
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
        "tasks": sorted({str(n["task"]) for n in table.numbers if "task" in n}),
        "facts": [_facts(row) for row in table.rows],
        "links": list(links),
        "caption": table.caption,
        "footer": table.footer,
        "notes": table.notes,
    }


def _cell(cell: Cell) -> dict[str, Any]:
    """Without what is nothing."""
    content = {"text": cell.text, "value": rounded(cell.value)}
    return (
        content
        | ({"best": True} if cell.best else {})
        | ({"notes": cell.notes} if cell.notes else {})
    )


def _facts(row: Sequence[Cell]) -> dict[str, Any]:
    """A row starts with its attention, or with a rule in brackets."""
    name = str(row[0].value)
    return {"attention": name} if name.startswith("(") else facts(name)
