"""The list of runs: what `results list` prints and the report's table of runs."""

from collections.abc import Callable
from typing import Any

from attention_zoo import UsageError
from attention_zoo.spec import attention_of, base_of
from lra.measure.memory import headline
from lra.results.comparable import Recorded, training_part
from lra.results.reading import Run
from lra.results.record import Failure, Record, learned
from lra.results.table import Column

UNKNOWN = "not installed here"


def family(attention: str) -> str:
    """Under which heading an attention is listed."""
    try:
        return attention_of(attention).support.family
    except UsageError:  # a stranger's, whose plugin is not here
        return UNKNOWN


def ended(record: Recorded) -> str:
    """How a run ended, in a word or a few."""
    if isinstance(record, Failure):
        return record.kind
    return "learned" if learned(record) else "did not learn"


def measured(read: Callable[[Any], float]) -> Callable[[Run], float | None]:
    """Of a run's measurement; None where there is none."""
    return lambda run: (one := getattr(run.record, "measurement", None)) and read(one)


COLUMNS: list[Column[Run]] = [
    Column("run", lambda run: run.name),
    Column("attention", lambda run: run.record.attention),
    Column("task", lambda run: run.record.task),
    Column("seed", lambda run: run.record.seed, format=str),
    Column(
        "test accuracy",
        lambda run: 100 * run.record.test.accuracy if isinstance(run.record, Record) else None,
        "%",
        format="{:.2f}".format,
    ),
    Column("step", measured(lambda one: one.training_step.median_ms), "ms"),
    Column("memory", measured(lambda one: headline(one.memory) / 1e6), "MB"),
    Column(
        "protocol",
        lambda run: run.record.protocol.name,
        more=lambda run: " modified" if run.record.modified else "",
    ),
    Column(
        "data",
        lambda run: run.record.data.source,
        more=lambda run: f", {part}" if (part := training_part(run.record)) else "",
    ),
    Column("machine", lambda run: run.record.environment.device),
    Column("finished", lambda run: run.record.finished[:16].replace("T", " ")),
    Column("ended", lambda run: ended(run.record)),
    Column("family", lambda run: family(run.record.attention), shown=False),
    Column(
        "filter", lambda run: "no" if base_of(run.record.attention) is None else "yes", shown=False
    ),
]
