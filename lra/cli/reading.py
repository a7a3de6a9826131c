"""What lies in the results' folder, as commands ask for it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from attention_zoo import UsageError, parse_spec
from lra.cli.common import say
from lra.measure.sheet import Sheet, read_sheet
from lra.results.comparable import Recorded
from lra.results.record import RUNS, read_run, run_folders

Tasks = Sequence[str] | None  # None: all


def on_record(results: Path, tasks: Tasks = None) -> list[tuple[Path, Recorded]]:
    """The folders of the runs of these tasks, with their records; what cannot be read is named."""
    found: list[tuple[Path, Recorded]] = []
    for folder in run_folders(results):
        for record in read_run(folder):
            if isinstance(record, UsageError):
                say(f"skipped: {record}")
            elif tasks is None or record.task in tasks:
                found.append((folder, record))
    return found


def none_on_record(results: Path, tasks: Tasks = None) -> UsageError:
    of = f" of {', '.join(tasks)}" if tasks else ""
    first = tasks[0] if tasks else "listops"
    return UsageError(
        f"no runs on record{of} under {results / RUNS}; "
        f"`python run_lra.py --task {first} --attn linear` makes one"
    )


def read_sheets(results: Path, named: Sequence[Path] | None) -> list[Sheet]:
    """The measurements that were named; else those of the results that can be read."""
    return [read_sheet(path) for path in named] if named else list(_sheets_of(results))


def of_tasks(sheets: Iterable[Sheet], tasks: Tasks) -> list[Sheet]:
    """Without those of other tasks; an operator or a layer alone was measured for none."""
    return [sheet for sheet in sheets if tasks is None or sheet.settings.task in (None, *tasks)]


def _sheets_of(results: Path) -> Iterable[Sheet]:
    for path in sorted((results / "measurements").glob("*.json")):
        try:
            yield read_sheet(path)
        except UsageError as error:
            say(f"skipped: {error}")


def canonical(spec: str, known: Iterable[str]) -> str:
    """A spec as records spell it; as it is where its attention is not registered here."""
    if spec in known:
        return spec
    try:
        return str(parse_spec(spec))
    except UsageError:
        return spec
