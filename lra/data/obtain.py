"""The official files of a task: found, unpacked, fetched, or asked for."""

import tarfile
from collections.abc import Callable
from pathlib import Path

from attention_zoo import UsageError
from lra.data.brought import Brought
from lra.data.dataset import Dataset, Settings
from lra.data.download import checked, download
from lra.data.official import folder_of, require_folder
from lra.data.unpack import unpack


def obtain(
    task: Dataset, settings: Settings, data_dir: Path, fetch: bool, say: Callable[[str], None]
) -> None:
    """Sees to it that `data_dir` holds the official files of a task, where its settings may use
    them.

    What is there is left alone; an archive that is there is checked and unpacked; with `fetch` it
    is downloaded. Raises UsageError with what to bring by hand where they are needed and cannot be
    had.
    """
    require_folder(data_dir)
    name, archive = task.metadata.name, task.archive
    if archive is None or settings.source not in ("auto", "official"):
        if fetch and archive is None:
            raise UsageError(f"--download: there are no official files of {name}")
        if fetch:
            raise UsageError(
                f"--download: the data of {name} are {settings.source} here; --source official "
                "asks for those that are fetched"
            )
        return
    files = task.official(data_dir, settings)
    if files:
        say(f"the official files of {name} are in {folder_of(files)}")
        return
    say(f"{name} is read from {task.metadata.layout}, which {data_dir} does not hold")
    brought, root = Brought(task, settings, data_dir), task.root(settings)
    by_hand = (
        f"by hand: bring {archive.name} ({archive.url}, {archive.size_text}) to "
        f"{data_dir / archive.name}, or the folder {root} that it holds to {data_dir / root}, and "
        "give the same command again"
    )
    packed = brought.archive()
    if packed is None and (problem := brought.obstacle(fetch)):
        raise UsageError(problem)
    if not (fetch or packed):
        if settings.source == "auto" and task.generates:
            say(f"{name} is drawn here instead; --download fetches it, or {by_hand}")
            return
        raise UsageError(
            f"{data_dir} does not hold the official files of {name}: add --download to fetch "
            f"{archive.description}; or {by_hand}"
        )
    plain = packed is not None and is_plain(packed)
    try:
        if packed is None:
            packed = download(archive, data_dir, say)
        elif not plain:
            checked(archive, packed)
        target = brought.destination()
        unchecked = ", which is not compressed and so has no checksum to compare" if plain else ""
        say(f"unpacking {target} from {packed}{unchecked}, at most {archive.unpacked:,} bytes")
        unpack(packed, root, target, archive.unpacked, say, skip=archive.unwanted)
    except UsageError as error:
        raise UsageError(f"{error}; {by_hand}") from error
    if not task.official(data_dir, settings):
        raise UsageError(
            f"{target} holds no official files of {name}: remove it, and the archive is unpacked "
            "again; where the data folder is called lra_release, name the one above it"
        )


def is_plain(file: Path) -> bool:
    """Whether it is a tar that is not compressed, whatever its name is."""
    try:
        with tarfile.open(file, "r:"):
            return True
    except tarfile.ReadError:
        return False
