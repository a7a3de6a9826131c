"""The examples of Text."""

import tempfile
from dataclasses import replace
from pathlib import Path

from lra.data.writer import Example, Writer
from lra.tasks.base import require_count
from lra.tasks.splits import held_out
from lra.tasks.text.official import LABELS, alterations, encode, find, read
from lra.tasks.text.sample import write
from lra.tasks.text.settings import TextSettings


def examples(
    settings: TextSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    if settings.source == "sample":
        with tempfile.TemporaryDirectory() as folder:
            sizes = {"train": settings.train + settings.val, "test": settings.test}
            write(Path(folder), sizes, settings.seed)
            return examples(replace(settings, source="official"), find(Path(folder)), writer)
    reviews = read(files)
    writer.notes += alterations(text for split in reviews.values() for text, _ in split)
    train, test = (
        [((writer.add(encode(text, settings.max_len)),), label) for text, label in reviews[name]]
        for name in ("train", "test")
    )
    sides = {name: [files[f"{name}/{side}"] for side in LABELS] for name in reviews}
    require_count(len(train), settings, sides["train"], "train", "val")
    require_count(len(test), settings, sides["test"], "test")
    if settings.select_on == "test":
        return {"train": train, "val": test, "test": test}
    stay, held = held_out(train, settings.val, settings.seed, "text")
    return {"train": [train[i] for i in stay], "val": [train[i] for i in held], "test": test}
