"""ListOps as a task."""

from lra.tasks.base import Task, TaskMetadata, later
from lra.tasks.listops.settings import PROTOCOLS, ListOpsSettings
from lra.tasks.registry import register_task
from lra.tasks.shared import LRA_RELEASE

FIND = later("lra.tasks.listops.official", "find")
LISTOPS = register_task(
    Task(
        metadata=TaskMetadata(
            name="listops",
            title="ListOps",
            order=1,
            modality="nested list expressions",
            length=2_000,
            classes=10,
            chance=0.1,
            vocabulary=ListOpsSettings.VOCABULARY,
            padding=0,
            splits={"train": 96_000, "val": 2_000, "test": 2_000},
            source="lra_release, or drawn here as LRA's generator does",
            layout="lra_release/lra_release/listops-1000/basic_{train,val,test}.tsv",
            licence="Apache-2.0 (LRA's repository, its generator's description)",
            citation="Nangia & Bowman 2018 (arXiv 1804.06028); Tay et al. 2021 (arXiv 2011.04006)",
        ),
        settings=ListOpsSettings,
        protocols=PROTOCOLS,
        examples=later("lra.tasks.listops.examples", "examples"),
        baselines=later("lra.tasks.listops.examples", "baselines"),
        official=lambda data_dir, settings: FIND(data_dir),
        archive=LRA_RELEASE,
        root=lambda settings: "lra_release/lra_release/listops-1000",
    )
)
