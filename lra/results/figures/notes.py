"""What figures show and say of groups of runs: accuracies with errors, baselines, failures."""

from collections.abc import Iterable, Mapping, Sequence

from lra.results.figures.chart import Axis, Series
from lra.results.record import Record
from lra.results.summary import Group, Summary
from lra.tasks import get_task

BARS = "Bars: standard deviation over seeds; of a single run, binomial standard error."


def error_of(summary: Summary) -> float:
    """The bar of an accuracy: the standard deviation over seeds, binomial for a single run."""
    return summary.error if summary.std is None else summary.std


def accuracy_series(
    summary: Summary, x: float, y: float, numbers: Mapping[str, str | float | None], **more: object
) -> Series:
    """A point with the bar of its accuracy; numbers: besides those of its accuracy."""
    name, error = summary.attention, error_of(summary)
    known = {"test accuracy, %": summary.mean, "±": error, "seeds": len(summary.runs)}
    bars = [error], [error]
    return Series(name, [x], [y], name, bars, numbers=[{**numbers, **known}], **more)


def accuracy_axis(
    title: str, summaries: Sequence[Summary], levels: Mapping[str, float]
) -> tuple[Axis, dict[str, float]]:
    """An axis around accuracies with their errors, and those of the levels that lie inside."""
    low = min(one.mean - error_of(one) for one in summaries)
    high = max(one.mean + error_of(one) for one in summaries)
    room = max(0.2 * (high - low), 1.0)
    low, high = low - room, high + room
    inside = {rule: share for rule, share in levels.items() if low < share < high}
    return Axis(title, range=(low, high)), inside


def levels_of(record: Record) -> dict[str, float]:
    """Chance and the trivial baselines in percent, from the lowest; those at chance are not named
    again."""
    chance = 100 * get_task(record.task).metadata.chance
    rules = sorted(record.data.baselines.items(), key=lambda rule: rule[1])
    above = {rule: 100 * share for rule, share in rules if 100 * share > chance + 0.05}
    return {"chance": chance} | above


def failures_of(group: Group) -> list[str]:
    """Each attention that has runs without a result, with how many there are of each kind."""
    return [f"{one.attention} ({one.failed})" for one in group.attentions.values() if one.failed]


def listed(what: str, names: Iterable[str]) -> list[str]:
    """A note, if there is anything to name in it."""
    text = ", ".join(names)
    return [f"{what}: {text}."] if text else []
