"""The examples of Pathfinder: official images, or images drawn here."""

from functools import partial
from pathlib import Path

import numpy as np

from lra.data.writer import Example, Writer
from lra.tasks.base import SPLITS, require_count
from lra.tasks.pathfinder.official import batches, read_batch
from lra.tasks.pathfinder.parameters import drawing
from lra.tasks.pathfinder.settings import PathfinderSettings
from lra.tasks.splits import shuffled

PIECE = {32: 500, 64: 100, 128: 100, 256: 25}  # images drawn at once: some seconds of work


def examples(
    settings: PathfinderSettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    """The splits are drawn from the images in the order of their metadata, or of their numbers."""
    total = sum(getattr(settings, split) for split in SPLITS)
    if settings.source == "official":
        listed = batches(files["metadata"])
        make = partial(official_piece, files["metadata"].parent, listed, settings.resolution)
        count, what = len(listed), f"reading {settings.level}"
    else:
        count, what = -(-total // PIECE[settings.resolution]), "drawing Pathfinder"
        make = partial(drawn_piece, settings, total)
    found: list[Example] = []
    left_out: list[str] = []
    for piece in writer.pieces(make, range(count), what):
        images, labels = piece["images"], piece["labels"].tolist()
        found += [
            ((writer.add(image.tobytes()),), label)
            for image, label in zip(images, labels, strict=True)
        ]
        left_out += piece["left_out"].tolist()
    writer.notes += left_out
    require_count(len(found) + len(left_out), settings, files.values(), *SPLITS)
    sizes = {"train": len(found) - settings.val - settings.test}
    sizes |= {"val": settings.val, "test": settings.test}
    cut = shuffled(len(found), sizes, settings.seed, "pathfinder")
    return {split: [found[i] for i in indices] for split, indices in cut.items()}


def official_piece(
    folder: Path, listed: list[Path], resolution: int, number: int
) -> dict[str, np.ndarray]:
    images, labels, left_out = read_batch(folder, listed[number], resolution)
    return {"images": images, "labels": labels, "left_out": np.array(left_out, dtype=str)}


def drawn_piece(settings: PathfinderSettings, total: int, number: int) -> dict[str, np.ndarray]:
    from lra.tasks.pathfinder.draw import draw_images  # numba takes a second to import

    size = PIECE[settings.resolution]
    first = number * size
    images, labels = draw_images(
        drawing(settings.resolution, settings.level),
        settings.seed,
        first,
        min(size, total - first),
    )
    return {"images": images, "labels": labels, "left_out": np.array([], dtype=str)}
