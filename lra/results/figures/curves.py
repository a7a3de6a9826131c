"""Learning curves: validation accuracy and training loss against steps; all that one run logged."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lra.results.captions import details_of, figure_footer, file_name, group_title
from lra.results.comparable import Recorded
from lra.results.curves import Curve
from lra.results.figures.chart import Axis, Chart, Panel, Series
from lra.results.figures.notes import failures_of, levels_of, listed
from lra.results.numbers import counted, figure
from lra.results.record import Record
from lra.results.summary import Group, accuracy_groups

POINTS = 100  # of a line, at most
STEPS = Axis("training step")


def curve_charts(runs: Iterable[tuple[Recorded, Curve]]) -> list[Chart]:
    """One for each task, data and protocol of which any run has a curve. Those without a result
    are named; their curves are not looked at."""
    curves = {id(record): (record, curve) for record, curve in runs}
    groups = accuracy_groups(record for record, _ in curves.values())
    charts = []
    for group in groups:
        found = [curves[id(record)] for record in group.records if isinstance(record, Record)]
        if shown := [(record, curve) for record, curve in found if curve.points]:
            charts.append(_chart(group, shown, len(found) - len(shown)))
    return charts


def _chart(group: Group, shown: Sequence[tuple[Record, Curve]], without: int) -> Chart:
    first = group.first
    accuracies, losses = (_by_step(shown, name) for name in ("val_accuracy", "train_loss"))
    window = max(map(_window, losses.values()), default=1)
    losses = {name: _windowed(table, window) for name, table in losses.items()}
    loss = [one for name, table in losses.items() for one in _lines(name, table)]
    ends = {one.attention: one.y[-1] for one in loss if not one.thin}
    accuracy = [
        one if one.thin else replace(one, numbers=[_numbers(one, ends.get(name))])
        for name, table in accuracies.items()
        for one in _lines(name, 100 * table)
    ]
    chance = {"chance": levels_of(first)["chance"]}
    panels = [
        Panel(STEPS, Axis("validation accuracy, %"), accuracy, chance),
        *([Panel(STEPS, Axis("training loss, nats"), loss)] if loss else []),
    ]
    words = (group.task, first.data.source, first.protocol.name)
    text = "Validation accuracy and training loss of "
    text += f"{counted(len(accuracies), 'attention')} against steps."
    if means := [one for one in accuracy if not one.thin]:
        best = max(means, key=lambda one: one.y[-1])
        text += f" At its last step {best.attention} is highest, at {figure(best.y[-1])} %."
    return Chart(
        file_name("curves", words, (group.conditions, group.column)),
        group_title(first),
        details_of(first)[1:],  # accuracies of several machines stand together
        panels,
        [
            "Accuracy on the validation data, loss of training batches"
            + (f", means over windows of {window:,} steps." if window > 1 else "."),
            *["Thin: each seed. Thick: their mean."] * any(one.thin for one in accuracy),
            *listed("Without a curve", [counted(without, "run")] * (without > 0)),
            *listed("Without a result", failures_of(group)),
            figure_footer(group),
        ],
        text,
    )


def run_panels(attention: str, curve: Curve) -> list[Panel]:
    """Accuracy and loss of one run in validation; dotted, means over windows in training."""
    panels = []
    for name, unit, scale in (("accuracy", "%", 100), ("loss", "nats", 1)):
        val, train = (scale * logged(curve, f"{split}_{name}") for split in ("val", "train"))
        train = _windowed(train.to_frame(), _window(train))[train.name]
        series = [_line(attention, val, "validation"), _line(None, train, "training", "training")]
        panels.append(Panel(STEPS, Axis(f"{name}, {unit}"), [one for one in series if one.x]))
    return panels


def logged(curve: Curve, quantity: str) -> pd.Series:
    """By step, without what was not logged."""
    known = {p.step: value for p in curve.points if (value := vars(p)[quantity]) is not None}
    return pd.Series(list(known.values()), list(known), dtype=float, name=quantity)


def _by_step(shown: Iterable[tuple[Record, Curve]], quantity: str) -> dict[str, pd.DataFrame]:
    """A table for each attention: a row a step, a column a seed."""
    found: dict[str, dict[int, pd.Series]] = {}
    for record, curve in shown:
        if len(values := logged(curve, quantity)):
            found.setdefault(record.attention, {})[record.seed] = values
    return {name: pd.concat(seeds, axis=1).sort_index() for name, seeds in found.items()}


def _window(table: pd.DataFrame | pd.Series) -> int:
    """So many steps that POINTS windows hold all; 1 where that many were logged or fewer."""
    return 1 if len(table) <= POINTS else int(np.ceil(table.index.max() / POINTS))


def _windowed(table: pd.DataFrame, length: int) -> pd.DataFrame:
    """Each window's means, at its last step."""
    if length == 1:
        return table
    return table.groupby(np.ceil(table.index / length).astype(int) * length).mean()


def _lines(attention: str, table: pd.DataFrame) -> list[Series]:
    """Each seed's, thin, and their mean at the steps that all of them have, if any; a single seed
    is its own mean."""
    seeds = [
        _line(attention, table[seed].dropna(), f"{attention}, seed {seed}", thin=True)
        for seed in table
    ]
    mean = table.dropna().mean(axis=1)
    found = seeds if len(seeds) > 1 else []
    return [*found, _line(attention, mean, attention)] if len(mean) else found


def _numbers(mean: Series, loss: float | None) -> dict[str, float | None]:
    best = max(mean.y)
    there = {"last step": mean.x[-1], "validation accuracy there, %": mean.y[-1]}
    there |= {"best, %": best, "at step": mean.x[list(mean.y).index(best)]}
    return there | {"training loss at the end, nats": loss}


def _line(
    attention: str | None, values: pd.Series, name: str, text: str = "", thin: bool = False
) -> Series:
    """Of at most POINTS points: the first, the last, the highest, and evenly between."""
    if len(values) > POINTS:
        even = np.linspace(0, len(values) - 1, POINTS - 1).round().astype(int)
        values = values.iloc[np.union1d(even, values.argmax())]
    x, y = values.index.tolist(), values.tolist()
    texts = [""] * (len(x) - 1) + [text] if text else ()
    return Series(attention, x, y, name, joined=True, thin=thin, texts=texts)
