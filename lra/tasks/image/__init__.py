"""Image as a task: CIFAR-10 in grey, pixel by pixel."""

from lra.data.dataset import Archive
from lra.tasks.base import Task, TaskMetadata, later
from lra.tasks.image.settings import PROTOCOLS, ImageSettings
from lra.tasks.registry import register_task

# Krizhevsky (2009).
CIFAR_10 = Archive(
    name="cifar-10-python.tar.gz",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    size=170_498_071,
    md5="c58f30108f718f92721af3b95e74349a",
    unpacked=200_000_000,
)
FIND = later("lra.tasks.image.official", "find")
IMAGE = register_task(
    Task(
        metadata=TaskMetadata(
            name="image",
            title="Image",
            order=4,
            modality="grey pixels of 32×32 photographs",
            length=1_024,
            classes=10,
            chance=0.1,
            vocabulary=ImageSettings.VOCABULARY,
            padding=None,
            splits={"train": 45_000, "val": 5_000, "test": 10_000},
            source="CIFAR-10, python version",
            layout="cifar-10-batches-py/{data_batch_1,…,data_batch_5,test_batch}",
            licence="none stated; not redistributed here",
            citation="Krizhevsky 2009 (technical report); Tay et al. 2021 (arXiv 2011.04006)",
        ),
        settings=ImageSettings,
        protocols=PROTOCOLS,
        examples=later("lra.tasks.image.examples", "examples"),
        official=lambda data_dir, settings: FIND(data_dir),
        archive=CIFAR_10,
        root=lambda settings: "cifar-10-batches-py",
    )
)
