"""The cells of tables, the best of a column, and the marks of a table."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from lra.results.numbers import figure
from lra.results.record import Failure
from lra.results.table import Cell

NOT_LEARNED, LARGE, SPREAD = "†", "‡", "§"
NOTES = {
    NOT_LEARNED: "no run is better than a constant answer: none is two standard errors above both "
    "chance and the majority class",
    LARGE: "more parameters than LRA's rule allows, 10 % over the softmax model",
    SPREAD: "spread above 20 %: of p20–p80 about the median, or of the medians of several runs",
}
ALLOWED = 10.0  # percent over softmax


def number(value: float | None, **more: object) -> Cell:
    return Cell(figure(value), value, **more)


def spread(mean: float, std: float | None) -> str:
    """A mean ± its standard deviation, where there is one."""
    return f"{mean:.1f}" + ("" if std is None else f" ± {std:.1f}")


def failed(failures: Iterable[Failure]) -> str:
    """How many runs ended without a result, by kind; nothing where all have one."""
    counts = Counter(failure.kind for failure in failures)
    return ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts))


def over_softmax(percent: float | None) -> Cell:
    large = percent is not None and percent > ALLOWED
    return number(percent, notes=(LARGE,) if large else ())


def with_best(
    rows: Sequence[Sequence[Cell]], columns: Iterable[int], best: Callable[..., float]
) -> list[tuple[Cell, ...]]:
    """The rows with the best of these columns marked: all that read the same as it, of two
    or more with a value. NOT_LEARNED cells are never the best."""
    marked = [list(row) for row in rows]
    for column in columns:
        good = [row for row in marked if _may_be_best(row[column])]
        if not good or sum(row[column].value is not None for row in marked) < 2:
            continue
        text = reading(best((row[column] for row in good), key=lambda cell: cell.value))
        for row in good:
            if reading(row[column]) == text:
                row[column] = replace(row[column], best=True)
    return [tuple(row) for row in marked]


def _may_be_best(cell: Cell) -> bool:
    return cell.value is not None and NOT_LEARNED not in cell.notes


def reading(cell: Cell) -> str:
    """The figure that a cell shows, without its spread."""
    return cell.text.split(" ")[0]


def notes_of(rows: Iterable[Sequence[Cell]]) -> dict[str, str]:
    """What the marks in these rows mean."""
    used = {mark for row in rows for cell in row for mark in cell.notes}
    return {mark: text for mark, text in NOTES.items() if mark in used}
