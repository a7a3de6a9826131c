"""What stands at the head of the page: what there is, what may be compared, what failed."""

from collections import Counter
from collections.abc import Iterable, Sequence

from attention_zoo.spec import base_of
from lra.results.agreement import agreeing
from lra.results.captions import conditions_of, data_of, place
from lra.results.comparable import Recorded
from lra.results.numbers import counted
from lra.results.published import Published
from lra.results.reading import Run
from lra.results.record import Failure
from lra.results.summary import Group
from lra.results.table import Column, Table
from lra.results.tables.runs import COLUMNS

NOT = "not comparable"


def comparison(group: Group, published: Sequence[Published]) -> str:
    """What a group may be compared with outside of the page, as the table of published figures
    decides it."""
    reason = agreeing(group, published).reason
    if group.comparable.startswith(NOT) or reason is None:
        return group.comparable
    return f"{NOT} with published tables: {reason}"


def facts(records: Sequence[Recorded]) -> list[str]:
    """Numbers with what they count."""
    names, tasks = ({getattr(one, what) for one in records} for what in ("attention", "task"))
    filtered = sum(base_of(name) is not None for name in names)
    failed = sum(isinstance(record, Failure) for record in records)
    return [
        counted(len(records), "run"),
        f"{counted(len(tasks), 'task')}: {', '.join(sorted(tasks, key=place))}",
        f"{counted(len(names), 'attention')}, {filtered} with a filter",
        counted(len(_machines(records)), "machine"),
        f"{failed:,} without a result",
    ]


def beside_lra(compared: Sequence[tuple[Group, str]]) -> str:
    """Which of the runs may be held against LRA's tables."""
    beside = sum(len(group.records) for group, text in compared if not text.startswith(NOT))
    total = sum(len(group.records) for group, _ in compared)
    which = "All" if beside == total else f"{beside:,}" if beside else "None"
    each = ", each with those of its protocol alone, but for its deviations" * (beside > 0)
    return f"{which} of these runs may be compared with tables of Long Range Arena{each}."


def overview(records: Sequence[Recorded], compared: Sequence[tuple[Group, str]]) -> list[Table]:
    """The groups of runs that may be compared, and the machines."""
    rows = [
        {"task": group.task, "protocol": conditions_of(group.first), "data": data_of(group.first)}
        | {"attentions": len(group.attentions), "runs": len(group.records)}
        | {"with published tables": text}
        for group, text in compared
    ]
    rows.sort(key=lambda row: tuple(row.values()))
    machines = [
        {"machine": machine, "float32 products": matmul, "runs": count}
        for (machine, matmul), count in sorted(_machines(records).items())
    ]
    return [
        Table.plain("Runs that may be compared, a row a group", rows),
        Table.plain("Machines", machines),
    ]


def _machines(records: Iterable[Recorded]) -> Counter[tuple[str, str]]:
    return Counter((one.environment.machine, one.environment.matmul) for one in records)


def failures(runs: Iterable[Run]) -> tuple[Table, list[str]]:
    """Those without a result, and the names of the runs."""
    failed = [run for run in runs if isinstance(run.record, Failure)]
    names = ("attention", "task", "protocol", "seed", "ended")
    columns = [one for one in COLUMNS if one.name in names]
    columns.append(Column("reason", lambda run: run.record.reason))
    table = Table.of("failures", "Runs without a result", columns, failed)
    return table, [run.name for run in failed]
