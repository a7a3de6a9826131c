"""The learning curve of a run, as it lies beside the record."""

import csv
import math
from itertools import pairwise
from pathlib import Path

from attention_zoo.errors import UsageError, one_line
from lra.results.layout import result_file
from lra.results.record import Count, Share
from lra.training.metrics import COLUMNS, METRICS
from lra.typed import frozen


@frozen
class Point:
    """What was logged after `step` steps; None for what was not, or was not finite. Losses in nats,
    accuracies 0–1."""

    step: Count
    train_loss: float | None
    train_accuracy: Share | None
    val_loss: float | None
    val_accuracy: Share | None


@frozen
class Curve:
    """missing: why there are no points, one line; None where there are."""

    points: tuple[Point, ...]
    missing: str | None = None


def read_curve(folder: Path) -> Curve:
    """The curve of the run in a folder. One without a result has none: its checkpoint carries it
    until the run has ended."""
    path = result_file(folder, METRICS)
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return Curve(_points(csv.reader(file)))
    except OSError as error:
        return Curve((), f"{path}: {error.strerror}")
    except (ValueError, csv.Error) as error:  # UsageError, a broken encoding, what csv raises
        return Curve((), f"{path}: {one_line(error)}")


def _points(rows: "csv._reader") -> tuple[Point, ...]:
    if tuple(next(rows, ())) != COLUMNS:
        raise UsageError(f"the first line is not {','.join(COLUMNS)}")
    points = []
    for row in rows:
        try:
            step, *values = row
            points.append(Point(int(step), *map(_number, values)))
        except (TypeError, ValueError) as error:
            raise UsageError(f"line {rows.line_num} is damaged") from error
    if not points:
        raise UsageError("it has no rows")
    if any(after.step < before.step for before, after in pairwise(points)):
        raise UsageError("its steps are not in order")
    return tuple(points)


def _number(text: str) -> float | None:
    value = float(text) if text else math.inf
    return value if math.isfinite(value) else None
