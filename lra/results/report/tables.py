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
        "tasks": sorted({str(row["task"]) for row in table.numbers if "task" in row}),
        "facts": _facts(table),
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


def _facts(table: Table) -> list[dict[str, Any]]:
    """What each row is chosen by; rules, which stand in brackets, have no family."""
    place = table.columns.index("attention") if "attention" in table.columns else None
    tasks = [row.get("task") for row in table.numbers]
    if "task" not in table.columns or len(tasks) != len(table.rows):
        tasks = [None] * len(table.rows)
    rows = []
    for row, task in zip(table.rows, tasks, strict=True):
        name = "" if place is None else str(row[place].value)
        known = place is not None and not name.startswith("(")
        rows.append(facts(name, task) if known else {"attention": name, "task": task})
    return rows
