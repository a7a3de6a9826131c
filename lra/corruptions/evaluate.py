"""A finished run under common corruptions: what is not on record yet, evaluated and recorded."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from attention_zoo import UsageError
from lra.corruptions.images import CorruptedSplit, library, side_of
from lra.evaluate import open_run
from lra.results.corruptions import (
    Corrupted,
    Corruptions,
    Session,
    none_yet,
    read_corruptions,
    write_corruptions,
)
from lra.results.details import figures
from lra.results.layout import RECORD, result_file
from lra.results.record import Record, read_record
from lra.run.describe import now, with_plugins
from lra.system.environment import environment
from lra.system.locks import LOCK, locked
from lra.tasks.base import PixelSettings


def require_pixels(record: Record) -> None:
    """Raises UsageError for a run whose tokens are no pixels of a square image."""
    settings = record.protocol.task
    if not isinstance(settings, PixelSettings):
        raise UsageError(
            f"--corruption is for tasks whose tokens are pixels (image, pathfinder), not "
            f"{record.task}"
        )
    side_of(settings.max_len)


def evaluate_corruptions(
    folder: Path,
    data_dir: Path,
    corruptions: Sequence[str],
    severities: Sequence[int],
    say: Callable[[str], None],
    *,
    again: bool = False,
    accelerator: str | None = None,
    plugins: tuple[str, ...] = (),
) -> tuple[Record, Corruptions]:
    """The record of a run, and all that is on record of it under corruptions, then.

    Each corruption and severity that is asked for is evaluated on the test split and written at
    once, so that an evaluation that is interrupted goes on. again: also what is on record.
    Raises UsageError as `open_run` does, for a task without pixels and without the package.
    """
    record = read_record(result_file(folder, RECORD))
    require_pixels(record)
    wanted = [(name, severity) for name in corruptions for severity in severities]
    with locked(folder / LOCK, say):
        found = read_corruptions(folder, record) or none_yet(record)
        todo = [one for one in wanted if again or one not in found.results]
        if len(todo) < len(wanted):
            say(f"{len(wanted) - len(todo)} of {len(wanted)} on record (--rerun evaluates again)")
        if not todo:
            return record, found
        versions = library()
        run = open_run(folder, data_dir, accelerator=accelerator, plugins=plugins)
        device = run.config.accelerator
        where = environment(torch.device(device))
        words = ["python", "run_lra.py", "evaluate", folder.name]
        words += ["--corruption", *dict.fromkeys(name for name, _ in todo)]
        words += ["--severity", *map(str, dict.fromkeys(severity for _, severity in todo))]
        words += [*(["--rerun"] if again else []), *with_plugins(plugins)]
        results: list[Corrupted] = []
        before = found
        for name, severity in todo:
            examples = CorruptedSplit.of(run.store.splits["test"], name, severity)
            results.append(Corrupted(name, severity, run.evaluate("test", examples)))
            say(f"{name} severity {severity}: accuracy {figures(results[-1].test)}")
            session = Session(now(), shlex.join(words), device, versions, where, list(results))
            found = before.with_session(session)
            write_corruptions(folder, found)
    return record, found
