"""Text as a task: is a film review, read as bytes, for or against?"""

from lra.data.dataset import Archive
from lra.tasks.base import Task, TaskMetadata, later
from lra.tasks.registry import register_task
from lra.tasks.text.settings import PROTOCOLS, TextSettings

# Maas et al. (2011). The publisher names no checksum: this is the one that data sets' libraries
# (torchtext, PaddleNLP) pin. The unwanted folder holds 50,000 reviews without a label.
ACL_IMDB = Archive(
    name="aclImdb_v1.tar.gz",
    url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    size=84_125_825,
    md5="7c2ac02c03563afcf9b574c7e56c153a",
    unpacked=400_000_000,
    unwanted=("train/unsup",),
)
FIND = later("lra.tasks.text.official", "find")
TEXT = register_task(
    Task(
        metadata=TaskMetadata(
            name="text",
            title="Text",
            order=2,
            modality="bytes of film reviews",
            length=4_000,
            classes=2,
            chance=0.5,
            vocabulary=TextSettings.VOCABULARY,
            padding=0,
            splits={"train": 22_500, "val": 2_500, "test": 25_000},
            source="aclImdb",
            layout="aclImdb/{train,test}/{pos,neg}/<number>_<rating>.txt",
            licence="none stated; not redistributed here",
            citation="Maas et al. 2011 (ACL P11-1015); Tay et al. 2021 (arXiv 2011.04006)",
        ),
        settings=TextSettings,
        protocols=PROTOCOLS,
        examples=later("lra.tasks.text.examples", "examples"),
        official=lambda data_dir, settings: FIND(data_dir),
        archive=ACL_IMDB,
        root=lambda settings: "aclImdb",
    )
)
