"""Pathfinder and Path-X as tasks: are the two marked points ends of one dashed curve?"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from lra.data.archives import LRA_RELEASE
from lra.data.writer import Example, Writer
from lra.tasks.base import (
    SPLITS,
    PixelSettings,
    Task,
    TaskMetadata,
    TaskSettings,
    majority,
    require_count,
    require_sizes,
)
from lra.tasks.pathfinder.official import batches, find, read_batch
from lra.tasks.pathfinder.parameters import drawing
from lra.tasks.splits import shuffled

PIECE = {32: 500, 64: 100, 128: 100, 256: 25}  # images drawn at once: some seconds of work


@dataclass(frozen=True)
class PathfinderSettings(PixelSettings):
    """source: the official images, or images drawn here. level: how long the curves are, 6, 9 or 14
    dashes; LRA's tables are of the last. train, val, test: split sizes, drawn by the seed, as the
    generated images are. black: see PixelSettings.
    """

    DECIDE: ClassVar = dict.fromkeys(
        ("official", "generated"), ("resolution", "level", *SPLITS, "seed")
    )
    FIXED: ClassVar = TaskSettings.FIXED | {
        "resolution": "--task chooses it: pathfinder, pathfinder64, pathx or pathfinder256"
    }

    source: Literal["auto", "official", "generated"] = "auto"
    resolution: Literal[32, 64, 128, 256] = 32
    level: Literal["curv_baseline", "curv_contour_length_9", "curv_contour_length_14"] = (
        "curv_contour_length_14"
    )
    train: int = 160_000
    val: int = 20_000
    test: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_sizes(self)

    @property
    def max_len(self) -> int:
        return self.resolution**2


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
    require_count(len(found) + len(left_out), settings, *SPLITS)
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


def pathfinder(name: str, resolution: int) -> Task:
    folder = f"lra_release/lra_release/pathfinder{resolution}"
    return Task(
        metadata=TaskMetadata(
            name=name,
            version=1,
            modality=f"grey pixels of {resolution}×{resolution} drawings",
            length=resolution**2,
            classes=2,
            chance=0.5,
            vocabulary=PathfinderSettings.VOCABULARY,
            padding=None,
            sequences=1,
            splits={"train": 160_000, "val": 20_000, "test": 20_000},
            source="lra_release, or drawn here as LRA's generator does",
            layout=f"{folder}/<level>/{{metadata/<n>.npy,imgs/<n>/sample_<i>.png}}",
            licence="none stated; not redistributed here",
            citation="Linsley et al. 2018 (arXiv 1805.08315); Tay et al. 2021 (arXiv 2011.04006)",
        ),
        settings=PathfinderSettings,
        official=lambda data_dir, settings: find(data_dir, resolution, settings.level),
        archive=LRA_RELEASE,
        root=lambda settings: f"{folder}/{settings.level}",
        examples=examples,
        baselines=majority,
        generates=True,
    )


PATHFINDERS = tuple(
    pathfinder(name, resolution)
    for name, resolution in (
        ("pathfinder", 32),
        ("pathfinder64", 64),
        ("pathx", 128),
        ("pathfinder256", 256),
    )
)
