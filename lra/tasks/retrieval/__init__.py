"""Retrieval as a task: does one paper of the ACL Anthology Network cite the other?"""

from lra.tasks.base import Task, TaskMetadata, later
from lra.tasks.registry import register_task
from lra.tasks.retrieval.settings import PROTOCOLS, RetrievalSettings
from lra.tasks.shared import LRA_RELEASE

FIND = later("lra.tasks.retrieval.official", "find")
RETRIEVAL = register_task(
    Task(
        metadata=TaskMetadata(
            name="retrieval",
            title="Retrieval",
            order=3,
            modality="bytes of two papers",
            length=4_000,
            classes=2,
            chance=0.5,
            vocabulary=RetrievalSettings.VOCABULARY,
            padding=0,
            sequences=2,
            splits={"train": 147_086, "val": 18_090, "test": 17_437},
            source="lra_release",
            layout="lra_release/lra_release/tsv_data/new_aan_pairs.{train,eval,test}.tsv",
            licence="unclear; not redistributed here",
            citation="Radev et al. 2013 (Language Resources and Evaluation 47); "
            "Tay et al. 2021 (arXiv 2011.04006)",
        ),
        settings=RetrievalSettings,
        protocols=PROTOCOLS,
        examples=later("lra.tasks.retrieval.examples", "examples"),
        official=lambda data_dir, settings: FIND(data_dir),
        archive=LRA_RELEASE,
        root=lambda settings: "lra_release/lra_release/tsv_data",
    )
)
