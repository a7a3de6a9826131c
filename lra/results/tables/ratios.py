"""Columns of a ratio of times: its spread, that of equal things, and whether it is beyond that."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from lra.measure.timing import Ratio, Spread
from lra.results.table import Column, Note

NOT_IN_TURNS = Note("¶", "measured separately, not in turns: includes any drift of the machine")
IN_TURNS = (
    "× time: x and x+filter timed in turns. In parentheses: p20–p80 over turns, then the same for "
    "a base against a second copy of itself (A/A). Within noise: they overlap, A/A either way up."
)
hundredths = "{:.2f}".format


def ratio_columns(
    name: str,
    read: Callable[[Any], Ratio | None],
    apart: Callable[[Any], float | None] = lambda row: None,
    **more: Any,
) -> list[Column[Any]]:
    """apart: the ratio of times that were not measured in turns, where there is no other, which is
    marked. more: of the first column."""

    def of(part: str, field: str) -> Callable[[Any], float | None]:
        return lambda row: (found := read(row)) and getattr(getattr(found, part), field)

    def said(row: Any) -> str:
        if (ratio := read(row)) is None:
            return ""
        noise = ", within noise" if ratio.within_noise else ""
        return f" ({between(ratio.times)}; A/A {between(ratio.control)}){noise}"

    return [
        Column(
            name,
            lambda row: ratio.times.median if (ratio := read(row)) else apart(row),
            format=hundredths,
            more=said,
            notes=lambda row: [NOT_IN_TURNS] if not read(row) and apart(row) else [],
            **more,
        ),
        *(
            Column(f"{more.get('key', name)} {label}", of(part, field), shown=False)
            for label, part, field in (
                *(("p20", "times", "p20"), ("p80", "times", "p80")),
                *(("A/A p20", "control", "p20"), ("A/A p80", "control", "p80")),
            )
        ),
    ]


def middle(ratios: Sequence[Ratio]) -> Ratio | None:
    """Each figure the median; None of none."""

    def of(spreads: list[Spread]) -> Spread:
        figures = ([getattr(one, part) for one in spreads] for part in ("median", "p20", "p80"))
        return Spread(*map(median, figures), n=len(spreads))

    if not ratios:
        return None
    times, control = ([getattr(one, part) for one in ratios] for part in ("times", "control"))
    return Ratio(ratios[0].base, of(times), of(control))


def between(spread: Spread) -> str:
    return f"{hundredths(spread.p20)}–{hundredths(spread.p80)}"
