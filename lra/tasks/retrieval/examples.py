"""The examples of Retrieval."""

import tempfile
from pathlib import Path

from lra.data.writer import Example, Writer
from lra.tasks.base import SPLITS, require_count
from lra.tasks.retrieval.official import find, read
from lra.tasks.retrieval.sample import write
from lra.tasks.retrieval.settings import RetrievalSettings


def examples(
    settings: RetrievalSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    def pairs(file: Path) -> list[Example]:
        rows = read(file, settings.max_len)
        return [((writer.add(first), writer.add(second)), label) for first, second, label in rows]

    if settings.source == "sample":
        with tempfile.TemporaryDirectory() as folder:
            sizes = {split: getattr(settings, split) for split in SPLITS}
            write(Path(folder), sizes, settings.seed)
            return {split: pairs(file) for split, file in find(Path(folder)).items()}
    found = {split: pairs(file) for split, file in files.items()}
    for split, rows in found.items():
        require_count(len(rows), settings, [files[split]], split)
    return found
