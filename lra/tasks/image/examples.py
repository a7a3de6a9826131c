"""The examples of Image."""

import tempfile
from dataclasses import replace
from pathlib import Path

from lra.data.writer import Example, Writer
from lra.tasks.base import require_count
from lra.tasks.image.official import TRAIN, find, read
from lra.tasks.image.sample import write
from lra.tasks.image.settings import ImageSettings
from lra.tasks.splits import held_out


def examples(
    settings: ImageSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    if settings.source == "sample":
        with tempfile.TemporaryDirectory() as folder:
            sizes = {"train": settings.train + settings.val, "test": settings.test}
            write(Path(folder), sizes, settings.seed)
            return examples(replace(settings, source="official"), find(Path(folder)), writer)
    images = read(files)

    def stored(name: str) -> list[Example]:
        pixels, labels = images[name]
        return [
            ((writer.add(image.tobytes()),), int(label))
            for image, label in zip(pixels, labels, strict=True)
        ]

    train, test = stored("train"), stored("test")
    require_count(len(train), settings, [files[name] for name in TRAIN], "train", "val")
    require_count(len(test), settings, [files["test_batch"]], "test")
    stay, held = held_out(train, settings.val, settings.seed, "image")
    return {"train": [train[i] for i in stay], "val": [train[i] for i in held], "test": test}
