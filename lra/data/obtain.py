"""The official files of a task: found, unpacked, fetched, or asked for."""

from collections.abc import Callable
from pathlib import Path

from attention_zoo import UsageError
from lra.data.download import download
from lra.data.unpack import unpack
from lra.tasks import Task, TaskSettings

UNWANTED = ("train/unsup",)  # aclImdb's 50,000 reviews without a label; no other archive has it


def obtain(
    task: Task, settings: TaskSettings, data_dir: Path, fetch: bool, say: Callable[[str], None]
) -> None:
    """Sees to it that `data_dir` holds the official files of a task, where its settings may use
    them.

    What is there is left alone; an archive that is there is checked and unpacked; with `fetch` it
    is downloaded. Raises UsageError with what to bring by hand where they are needed and cannot be
    had.
    """
    name, archive = task.metadata.name, task.archive
    if settings.source not in ("auto", "official"):
        if fetch:
            raise UsageError(
                f"--download: the data of {name} are {settings.source} here; --source official "
                "asks for those that are fetched"
            )
        return
    say(f"{name} is read from {task.metadata.layout} in {data_dir}")
    if task.official(data_dir, settings):
        say("the official files are there")
        return
    root = task.root(settings)
    packed = data_dir / archive.name
    by_hand = (
        f"by hand: bring {archive.name} ({archive.url}, {archive.size_text}) to {packed}, or the "
        f"folder {root} that it holds to {data_dir / root}, and give the same command again"
    )
    if not (fetch or packed.exists()):
        if settings.source == "auto" and task.generates:
            say(f"it is not there, so {name} is drawn here; --download fetches it, or {by_hand}")
            return
        raise UsageError(
            f"{data_dir} does not hold the official files of {name}: add --download to fetch "
            f"{archive.description}; or {by_hand}"
        )
    try:
        packed = download(archive, data_dir, say)
    except UsageError as error:
        raise UsageError(f"{error}; {by_hand}") from error
    say(f"unpacking {root} from {packed}, at most {archive.unpacked:,} bytes")
    try:
        unpack(packed, root, data_dir / root, archive.unpacked, say, skip=UNWANTED)
    except UsageError as error:
        raise UsageError(
            f"{error}; remove {packed}, and --download fetches it anew, or {by_hand}"
        ) from error
    if not task.official(data_dir, settings):
        raise UsageError(
            f"{data_dir / root} holds no official files of {name}: remove it, and the archive is "
            "unpacked again; where the data folder is called lra_release, name the one above it"
        )
