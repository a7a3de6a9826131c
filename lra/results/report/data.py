"""Runs as the page carries them: what they share once, figures rounded, curves thinned."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo import UsageError
from attention_zoo.spec import attention_of, base_of
from lra.measure.memory import METHODS, headline
from lra.results.curves import Curve, Point, read_curve
from lra.results.record import Failure, Record, learned, read_run, run_folders
from lra.results.report.comparison import Comparison
from lra.results.report.embed import Shared, rounded

POINTS = 50  # of a curve, in training and in validation each
UNKNOWN = "not installed here"


@dataclass(frozen=True)
class Run:
    """A record, the name of its folder and its learning curve."""

    name: str
    record: Record | Failure
    curve: Curve


def read_runs(results: Path, tasks: Sequence[str] | None = None) -> tuple[list[Run], list[str]]:
    """The runs on record of those tasks (None: all), and a line for each file that is damaged,
    with its path under `results`: the page is for others."""
    runs, damaged = [], []
    for folder in run_folders(results):
        for record in read_run(folder):
            if isinstance(record, UsageError):
                damaged.append(str(record).replace(f"{results}{os.sep}", ""))
            elif tasks is None or record.task in tasks:
                runs.append(Run(folder.name, record, _curve(folder)))
    return runs, damaged


def _curve(folder: Path) -> Curve:
    """Without the folder's path in what it says is missing."""
    curve = read_curve(folder)
    return replace(curve, missing=curve.missing and curve.missing.replace(f"{folder}{os.sep}", ""))


def family(attention: str) -> str:
    """Under which heading an attention is listed."""
    try:
        return attention_of(attention).support.family
    except UsageError:  # a stranger's, whose plugin is not here
        return UNKNOWN


def facts(attention: str, task: str | None = None) -> dict[str, Any]:
    """What a row of a table is chosen by."""
    return {
        "attention": attention,
        "task": task,
        "family": family(attention),
        "filtered": base_of(attention) is not None,
    }


def embedded_runs(runs: Sequence[Run], comparison: Comparison) -> dict[str, Any]:
    """runs: a run each; its protocol, data and environment are places in the lists beside it.
    methods: what the measures of memory are called."""
    protocols, data, environments = Shared(), Shared(), Shared()
    listed = []
    for run in runs:
        content = asdict(run.record)
        shared = {
            "protocol": protocols.place(
                content.pop("protocol") | {"comparable": comparison[run.record]}
            ),
            "data": data.place(content.pop("data")),
            "environment": environments.place(content.pop("environment")),
        }
        ended = _ended(run.record) if isinstance(run.record, Record) else {}
        given = {"name": run.name, "curve": run.curve.missing}
        listed.append(
            rounded(content) | facts(run.record.attention, run.record.task) | shared | ended | given
        )
    return {
        "runs": listed,
        "protocols": protocols.contents,
        "data": data.contents,
        "environments": environments.contents,
        "methods": METHODS,
    }


def _ended(record: Record) -> dict[str, Any]:
    return {"learned": learned(record), "memory": headline(record.measurement.memory)}


def thinned(curve: Curve) -> dict[str, list[list[float]]]:
    """Steps, losses and accuracies of at most POINTS points, in training and in validation.

    Training is logged of single batches: its points are means over equal windows. Validations are
    left out evenly, but for the first, the last and the most accurate.
    """
    train = np.array(
        [(p.step, p.train_loss, p.train_accuracy) for p in curve.points if _trained(p)]
    )
    val = [(p.step, p.val_loss, p.val_accuracy) for p in curve.points if _validated(p)]
    return {
        "train": _columns(_windows(train)) if len(train) else [],
        "val": _columns([val[i] for i in kept([accuracy for _, _, accuracy in val])]),
    }


def _windows(rows: np.ndarray) -> list[tuple[float, ...]]:
    """The last step of each window, and means of what was logged in it."""
    edges = np.linspace(0, len(rows), min(POINTS, len(rows)) + 1).round().astype(int)
    means = np.add.reduceat(rows[:, 1:], edges[:-1]) / np.diff(edges)[:, None]
    steps = rows[edges[1:] - 1, 0].astype(int)
    return list(zip(steps.tolist(), *means.T.tolist(), strict=True))


def _trained(point: Point) -> bool:
    return point.train_loss is not None and point.train_accuracy is not None


def _validated(point: Point) -> bool:
    return point.val_loss is not None and point.val_accuracy is not None


def kept(accuracies: Sequence[float]) -> list[int]:
    """Places of at most POINTS of them: the first, the last, the best, and evenly between."""
    n = len(accuracies)
    if n <= POINTS:
        return list(range(n))
    even = np.linspace(0, n - 1, POINTS - 1).round().astype(int).tolist()
    return sorted({*even, int(np.argmax(accuracies))})


def _columns(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [rounded(column, 4) for column in zip(*rows, strict=True)]
