"""Pathfinder and Path-X as tasks: are the two marked points ends of one dashed curve?"""

from lra.tasks.base import Task, TaskMetadata, later
from lra.tasks.pathfinder.settings import RESOLUTIONS, PathfinderSettings, protocols
from lra.tasks.registry import register_task
from lra.tasks.shared import LRA_RELEASE

FIND = later("lra.tasks.pathfinder.official", "find")
TITLES = {
    "pathfinder": "Pathfinder",
    "pathx": "Path-X",
    "pathfinder64": "Pathfinder-64",
    "pathfinder256": "Pathfinder-256",
}


def pathfinder(name: str, order: int) -> Task:
    resolution = RESOLUTIONS[name]
    folder = f"lra_release/lra_release/pathfinder{resolution}"
    return Task(
        metadata=TaskMetadata(
            name=name,
            title=TITLES[name],
            order=order,
            modality=f"grey pixels of {resolution}×{resolution} drawings",
            length=resolution**2,
            classes=2,
            chance=0.5,
            vocabulary=PathfinderSettings.VOCABULARY,
            padding=None,
            splits={"train": 160_000, "val": 20_000, "test": 20_000},
            source="lra_release, or drawn here as LRA's generator does",
            layout=f"{folder}/<level>/{{metadata/<n>.npy,imgs/<n>/sample_<i>.png}}",
            licence="none stated; not redistributed here",
            citation="Linsley et al. 2018 (arXiv 1805.08315); Tay et al. 2021 (arXiv 2011.04006)",
        ),
        settings=PathfinderSettings,
        protocols=protocols(name),
        examples=later("lra.tasks.pathfinder.examples", "examples"),
        official=lambda data_dir, settings: FIND(data_dir, resolution, settings.level),
        archive=LRA_RELEASE,
        root=lambda settings: f"{folder}/{settings.level}",
    )


PATHFINDERS = [register_task(pathfinder(name, 5 + i)) for i, name in enumerate(RESOLUTIONS)]
