"""What the page knows of a figure, and what its figures have in common."""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lra.results.captions import Caption
from lra.results.figures.palette import Look, Looks, split
from lra.results.numbers import figure
from lra.results.table import MISSING, Cell, Table

FAINT = "#888888"  # figures.js puts a colour of the page for it
# Of an attention without a filter, with the first, the second, the third; then they come again.
VARIANTS = {"solid": "", "dash": "-open", "dot": "-open-dot", "dashdot": "-dot"}
MEANINGS = {
    "": "Filled mark",
    "-open": "Hollow",
    "-open-dot": "Hollow with a dot",
    "-dot": "Filled with a dot",
}


@dataclass(frozen=True)
class Chart:
    """kind: under which heading it stands. label: by which it is chosen there. summary: what it
    shows, a sentence or two. traces, layout: plotly's. table: the same numbers."""

    kind: str
    label: str
    summary: str
    notes: tuple[str, ...]
    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    table: Table


def plain(text: str) -> str:
    """Text that plotly shows as it is: it reads a few HTML elements, `<br>` for one."""
    return html.escape(text, quote=False)


def hover(*lines: str) -> str:
    return "<br>".join(map(plain, lines))


def axis(title: str, **options: Any) -> dict[str, Any]:
    return {"title": {"text": plain(title)}, "automargin": True, "zeroline": False} | options


def logarithmic(
    title: str, values: Iterable[float], shown: Sequence[float] | None = None, **options: Any
) -> dict[str, Any]:
    """With ticks at `shown`, or at powers of ten, with as many of their multiples
    as leave room."""
    values = list(values)
    low, high = (math.floor(math.log10(end(values))) for end in (min, max))
    digits = (1, 2, 5) if high - low < 3 else (1,)
    if max(values) < 6 * min(values):
        digits = (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    ticks = [digit * 10.0**power for power in range(low - 1, high + 2) for digit in digits]
    ticks = list(shown or ticks)
    text = [figure(tick) for tick in ticks]
    return axis(title, type="log", tickvals=ticks, ticktext=text, **options)


def layout(x: dict[str, Any], y: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "xaxis": x,
        "yaxis": y,
        "hovermode": "closest",
        "margin": {"l": 10, "r": 10, "t": 20, "b": 10},
        "height": 520,
    } | more


def level(value: float, name: str | None, **place: Any) -> tuple[list[dict], list[dict]]:
    """A dashed line across at `value`, and its name at the right end: shapes, annotations."""
    line = {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": value, "y1": value}
    style = {"line": {"color": FAINT, "width": 1, "dash": "dash"}, "layer": "below"}
    note = {"xref": "x domain", "x": 1, "y": value, "xanchor": "right", "yanchor": "bottom"}
    text = {"text": plain(name or ""), "showarrow": False, "font": {"color": FAINT, "size": 11}}
    return [line | style | place], [note | text] if name else []


def table(
    caption: Caption, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]
) -> Table:
    """The numbers of a figure. A row starts with its attention."""
    rows = list(rows)
    return Table(
        "numbers",
        caption.title,
        tuple(columns),
        tuple(tuple(_cell(value) for value in row) for row in rows),
        (),
        (caption.footer,),
        {},
        tuple(dict(zip(columns, row, strict=True)) for row in rows),
    )


def _cell(value: str | float | None) -> Cell:
    if value is None:
        return Cell(MISSING)
    return Cell(value if isinstance(value, str) else figure(value), value)


def counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def marker(look: Look, size: float) -> dict[str, Any]:
    return {"color": look.color, "size": size, "symbol": look.symbol + _variant(look)}


def _variant(look: Look) -> str:
    return VARIANTS.get(look.dash, VARIANTS["dash"])


def marks_line(looks: Looks, attentions: Iterable[str]) -> str:
    """What the marks of these attentions say of their filters."""
    found: dict[str, set[str]] = {}
    for name in attentions:
        filters = split(name)[1]
        found.setdefault(_variant(looks[name]), set()).add(
            f"+{filters}" if filters else "no filter"
        )
    parts = (
        f"{MEANINGS[variant]}: {', '.join(sorted(found[variant]))}."
        for variant in VARIANTS.values()
        if variant in found
    )
    return " ".join(parts)
