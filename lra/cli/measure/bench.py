"""`measure`: a sheet on disk, and its tables."""

import argparse
import itertools
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attention_zoo import UsageError
from lra.cli.common import say
from lra.cli.measure.jobs import command, default_name, unsupported
from lra.failures import Killed, RunFailure
from lra.measure.bench import bench, machine_of
from lra.measure.compare import compare, elsewhere, failures, not_measured, require_same
from lra.measure.job import Job, Machine
from lra.measure.sheet import FAILS, OK, SCHEMA, UNSUPPORTED, Row, Sheet, read_sheet, write_sheet
from lra.run.describe import now
from lra.system import interrupts

FOLDER = Path("results", "measurements")
BROKEN = (FAILS, Killed.kind, RunFailure.kind)  # statuses that are no answer


def measure_variants(
    options: argparse.Namespace, jobs: Sequence[Job], lengths: Sequence[int]
) -> int:
    out, against = options.out or FOLDER / default_name(jobs, lengths), options.against
    old = None if against is None else earlier(against, jobs, lengths)
    if against is not None and out.resolve() == against.resolve():
        raise UsageError(f"{out} is what to compare with and would be replaced; give another --out")
    replaced = standing(out, jobs, lengths) if out.exists() else None
    require_writable(out)
    say("the machine's limits")
    machine = machine_of(jobs[0])
    other = [] if old is None else elsewhere(old.environment, machine.environment)
    if other and options.fail_above is not None:
        raise UsageError(f"--fail-above: {against} is no measure here: {'; '.join(other)}")
    if replaced is not None and elsewhere(replaced.environment, machine.environment):
        raise UsageError(f"{out} was measured elsewhere; give another --out")
    with interrupts.obeyed(f"what is measured so far is in {partial(out)}"):
        sheet = written(out, jobs, lengths, machine, options.time_limit)
    # Here, so that a mistyped command is answered without pandas.
    from lra.results.tables import render
    from lra.results.tables.sheet import change_table, sheet_tables

    print(render(sheet_tables(sheet), "github"), end="")
    say(f"the measurement is in {out}")
    worse: list[str] = []
    if old is not None:
        changes, lost = compare(old, sheet)
        table = change_table(changes, lost, not_measured(old, sheet), against, other)
        print("\n" + render([table], "github"), end="")
        if options.fail_above is not None:
            worse = failures(changes, lost, options.fail_above)
    return verdict(sheet, worse, options.fail_above)


def written(
    out: Path, jobs: Sequence[Job], lengths: Sequence[int], machine: Machine, time_limit: float
) -> Sheet:
    """The sheet, on disk as `partial` after every group of variants; an older one at `out` stands
    until it is whole."""
    reasons = {job.attention: unsupported(job) for job in jobs}
    refused = [
        Row(name, N, UNSUPPORTED, "; ".join(why))
        for name, why in reasons.items()
        for N in lengths
        if why
    ]
    runnable = [job for job in jobs if not reasons[job.attention]]
    order, rows = [*reasons], []
    measured = bench(runnable, lengths, time_limit=time_limit, say=say)
    for group in itertools.chain([refused] if refused else [], measured):
        rows = sorted([*rows, *group], key=lambda row: (order.index(row.attention), row.N))
        sheet = Sheet(
            SCHEMA,
            now(),
            command(jobs, lengths),
            jobs[0].settings,
            machine.environment,
            machine.limits,
            rows,
        )
        write_sheet(partial(out), sheet)
    os.replace(partial(out), out)
    return sheet


def partial(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial")


def require_writable(out: Path) -> None:
    """Makes its folder; UsageError where no file can be written there."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error.strerror}") from error


def earlier(path: Path, jobs: Sequence[Job], lengths: Sequence[int]) -> Sheet:
    """The sheet to compare with; UsageError where there is nothing to compare."""
    sheet = read_sheet(path)
    try:
        require_same(sheet.settings, jobs[0].settings)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    if not any(row.status == OK and is_asked(row, jobs, lengths) for row in sheet.rows):
        raise UsageError(f"{path} has no figures of these attentions and lengths")
    return sheet


def standing(out: Path, jobs: Sequence[Job], lengths: Sequence[int]) -> Sheet:
    """The sheet that would be replaced; UsageError where more than its like would be lost."""
    try:
        sheet = read_sheet(out)
        require_same(sheet.settings, jobs[0].settings)
        more = [row for row in sheet.rows if not is_asked(row, jobs, lengths)]
        if more:
            raise UsageError(
                f"it has {len(more)} rows that this measurement has not, {more[0].attention} at "
                f"N={more[0].N:,} for one"
            )
    except UsageError as error:
        raise UsageError(f"{out} is not overwritten: {error}; give another --out") from error
    return sheet


def is_asked(row: Row, jobs: Sequence[Job], lengths: Sequence[int]) -> bool:
    return row.N in lengths and row.attention in [job.attention for job in jobs]


def verdict(sheet: Sheet, worse: Sequence[str], above: float | None) -> int:
    broken = [row for row in sheet.rows if row.status in BROKEN]
    problems = [f"{row.attention} N={row.N:,} {row.status}: {row.reason}" for row in broken[:1]]
    if len(broken) > 1:
        problems.append(f"and {len(broken) - 1} rows more are without figures")
    if worse:
        problems.append(f"worse than × {above:g}: {'; '.join(worse)}")
    if not any(row.status == OK for row in sheet.rows):
        problems.append("no row has figures")
    if problems:
        raise RunFailure("; ".join(problems))
    return 0
