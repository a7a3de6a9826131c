"""The small protocol of Nyströmformer's LRA code, and Skyformer's way to train the same model.

Two pre-norm layers of 64, two heads, learned positions, AdamW under OneCycle. The numbers are those
of the released configurations (mlpen/Nystromformer, LRA/code/lra_config.py; pkuzengqi/Skyformer,
config/lra_config.py), whose papers' appendices sometimes differ. Neither has Path-X or the other
sizes of Pathfinder: these are Pathfinder's settings at the batch that LRA's own code has for them.
"""

from dataclasses import replace

from lra.protocols.settings import Deviation, ModelSettings, Protocol, TrainingSettings
from lra.tasks import (
    AnySettings,
    ImageSettings,
    ListOpsSettings,
    PathfinderSettings,
    RetrievalSettings,
    TextSettings,
)

COMMON = (
    Deviation("no attention dropout (source: 0.1, softmax only)"),
    Deviation("float32 (source: fp16 mixed precision)"),
    Deviation(
        "evaluations count every example (source: whole batches only)",
        "--set training.drop_last=true",
    ),
)
FROM_THE_START = Deviation(
    "the best weights are kept from the first validation on (source: from 20 % of the steps on, "
    "else the last weights are tested)"
)
POOLING = Deviation(
    "mean pooling over true lengths (source: over padded length)", "--set model.pooling=padded_mean"
)
BLACK = Deviation(
    "black pixels are tokens (source: value 0 is padding, and the mean is over all positions)",
    "--set task.black=padding model.pooling=padded_mean",
)
HELD_OUT = Deviation(
    "2,500 training reviews, stratified, select the weights (source: the test split does)",
    "--set task.select_on=test",
)
CIFAR_SPLIT = Deviation(
    "5,000 stratified training images, drawn by a seed, validate (source: the last tenth in the "
    "order of TensorFlow Datasets)"
)
PATHFINDER_SPLIT = Deviation(
    "one split, drawn by a seed (source: another one whenever its script runs)"
)
UNPUBLISHED = Deviation(
    "the source has no configuration of this size: Pathfinder's, at the batch of LRA's own code"
)

# Rows of the position table. The token table has 32 rows for ListOps and 512 for the others.
TASKS: dict[str, tuple[AnySettings, int]] = {
    "listops": (ListOpsSettings(), 2_048),
    "text": (TextSettings(), 4_096),
    "retrieval": (RetrievalSettings(), 4_096),
    "image": (ImageSettings(), 1_024),
    "pathfinder": (PathfinderSettings(), 1_024),
    "pathfinder64": (PathfinderSettings(resolution=64), 4_096),
    "pathx": (PathfinderSettings(resolution=128), 16_384),
    "pathfinder256": (PathfinderSettings(resolution=256), 65_536),
}
BATCHES = {"pathfinder64": 256, "pathx": 64, "pathfinder256": 32}


def validated(batches: int, of: int) -> Deviation:
    """of: how many whole batches the validation split has."""
    return Deviation(
        f"each validation reads its whole split (source: {batches} batches of an endless stream, "
        f"of which a pass has {of})"
    )


NYSTROMFORMER = {
    "listops": TrainingSettings(steps=5_000, warmup=1_000, eval_every=50),
    "text": TrainingSettings(steps=20_000, warmup=8_000, eval_every=500),
    "retrieval": TrainingSettings(steps=30_000, warmup=800, eval_every=300),
    "image": TrainingSettings(steps=35_000, warmup=175, eval_every=175, batch=256),
    "pathfinder": TrainingSettings(steps=62_400, warmup=312, eval_every=312, batch=256),
}
NYSTROMFORMER_DEVIATIONS = {
    "listops": (
        Deviation(
            "closing bracket kept (source: very likely all brackets lost in tokenisation)",
            "--set task.brackets=drop",
        ),
        POOLING,
        Deviation("N = 2,000 (source: 2,048 with 48 pads)"),
    ),
    "text": (
        POOLING,
        HELD_OUT,
        Deviation(
            "N = 4,000 (source: 1,000 with 24 pads, though reported as 4K)",
            "--set task.max_len=1000",
        ),
    ),
    "retrieval": (POOLING, Deviation("N = 4,000 (source: 4,096 with 96 pads)")),
    "image": (BLACK, CIFAR_SPLIT, validated(20, 19)),
    "pathfinder": (BLACK, PATHFINDER_SPLIT, validated(312, 78)),
}

SKYFORMER = {
    "listops": TrainingSettings(steps=50_000, warmup=1_000, eval_every=500),
    "text": TrainingSettings(steps=50_000, warmup=80, eval_every=500),
    "retrieval": TrainingSettings(
        steps=50_000, warmup=800, eval_every=1_000, batch=16, learning_rate=2e-4
    ),
    "image": TrainingSettings(steps=50_000, warmup=175, eval_every=50, batch=256),
    "pathfinder": TrainingSettings(
        steps=50_000, warmup=312, eval_every=500, batch=128, learning_rate=2e-4
    ),
}
SKYFORMER_DEVIATIONS = {
    "listops": (
        Deviation(
            "closing bracket kept (source: all brackets lost in tokenisation)",
            "--set task.brackets=drop",
        ),
        POOLING,
        Deviation("N = 2,000 (source: 2,048 with 48 pads)"),
    ),
    "text": (
        POOLING,
        HELD_OUT,
        Deviation("N = 4,000 (source: 4,096 with 96 pads)"),
        Deviation(
            "batch 32, as in the source's code (its paper: 16)",
            "--set training.batch=16",
        ),
        validated(200, 781),
    ),
    "retrieval": (
        POOLING,
        Deviation("N = 4,000 (source: 4,096 with 96 pads)"),
        validated(300, 1_130),
    ),
    "image": (BLACK, CIFAR_SPLIT, validated(20, 19)),
    "pathfinder": (BLACK, PATHFINDER_SPLIT),
}


def nystromformer(task: str) -> Protocol:
    """Xiong et al. 2021, §4.4 and the released LRA configuration."""
    return _protocol(
        task,
        Protocol(
            name="nystromformer",
            source="Xiong et al. 2021 (arXiv 2102.03902) and its released LRA code",
            comparable="LRA under the small protocol of Nyströmformer, but for the deviations",
            deviations=COMMON,
            task=TASKS[task][0],
            model=ModelSettings(vocabulary=32 if task == "listops" else 512),
            training=NYSTROMFORMER[_published(task)],
        ),
        NYSTROMFORMER_DEVIATIONS,
    )


def skyformer(task: str) -> Protocol:
    """Chen et al. 2021, appendix, and the released LRA configuration; gradients clipped at 1."""
    vocabulary = {"listops": 32, "image": 256}.get(task, 512)
    return _protocol(
        task,
        Protocol(
            name="skyformer",
            source="Chen et al. 2021 (arXiv 2111.00035) and its released LRA code",
            comparable="LRA under the small protocol of Skyformer, but for the deviations",
            deviations=(*COMMON, FROM_THE_START),
            task=TASKS[task][0],
            model=ModelSettings(vocabulary=vocabulary),
            training=replace(SKYFORMER[_published(task)], clip_value=1.0),
        ),
        SKYFORMER_DEVIATIONS,
    )


def _published(task: str) -> str:
    return "pathfinder" if task in BATCHES else task


def _protocol(
    task: str, common: Protocol, deviations: dict[str, tuple[Deviation, ...]]
) -> Protocol:
    own = (BLACK, PATHFINDER_SPLIT, UNPUBLISHED) if task in BATCHES else deviations[task]
    training = common.training
    return replace(
        common,
        deviations=(*common.deviations, *own),
        model=replace(common.model, positions=TASKS[task][1]),
        training=replace(training, batch=BATCHES.get(task, training.batch)),
    )
