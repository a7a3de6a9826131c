"""The learning curve of a run, as it lies beside the record."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from attention_zoo.errors import UsageError, one_line
from lra.training.metrics import COLUMNS, METRICS


@dataclass(frozen=True)
class Point:
    """What was logged after `step` steps; None for what was not, or was not finite. Losses in nats,
    accuracies 0–1."""

    step: int
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None


@dataclass(frozen=True)
class Curve:
    """missing: why there are no points, one line; None where there are."""

    points: tuple[Point, ...]
    missing: str | None = None


def read_curve(folder: Path) -> Curve:
    """The curve of the run in a folder. One without a result has none: its checkpoint carries it
    until the run has ended."""
    path = folder / METRICS
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return Curve(_points(csv.reader(file)))
    except FileNotFoundError:
        return Curve((), f"{path} is not there")
    except OSError as error:
        return Curve((), f"{path}: {error.strerror}")
    except (ValueError, csv.Error) as error:  # UsageError, a broken encoding, what csv raises
        return Curve((), f"{path}: {one_line(error)}")


def _points(rows: "csv._reader") -> tuple[Point, ...]:
    if tuple(next(rows, ())) != COLUMNS:
        raise UsageError(f"the first line is not {','.join(COLUMNS)}")
    points: list[Point] = []
    for row in rows:
        try:
            step, *values = row
            point = Point(int(step), *map(_number, values))
        except (TypeError, ValueError) as error:
            raise UsageError(f"line {rows.line_num} is damaged") from error
        accuracies = [a for a in (point.train_accuracy, point.val_accuracy) if a is not None]
        before = points[-1].step if points else 0
        if point.step < before or not all(0 <= accuracy <= 1 for accuracy in accuracies):
            raise UsageError(f"line {rows.line_num} is damaged")
        points.append(point)
    if not points:
        raise UsageError("it has no rows")
    return tuple(points)


def _number(text: str) -> float | None:
    value = float(text) if text else math.inf
    return value if math.isfinite(value) else None
