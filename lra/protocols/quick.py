"""A protocol of our own: every task offline and in minutes on a CPU, comparable with nothing."""

from dataclasses import replace

from lra.protocols.settings import ModelSettings, Protocol, TrainingSettings
from lra.tasks import (
    ImageSettings,
    ListOpsSettings,
    PathfinderSettings,
    RetrievalSettings,
    TextSettings,
)

SIZES = {"train": 2_000, "val": 500, "test": 500}
FEW = {"train": 32, "val": 16, "test": 16, "source": "generated", "level": "curv_baseline"}
DATA = {
    "listops": ListOpsSettings(
        source="generated", train=20_000, val=1_000, test=1_000, min_length=16, max_length=128
    ),
    "text": TextSettings(source="sample", max_len=1_024, **SIZES),
    "retrieval": RetrievalSettings(source="sample", max_len=512, **SIZES),
    "image": ImageSettings(source="sample", **SIZES),
    "pathfinder": PathfinderSettings(source="generated", level="curv_baseline", **SIZES),
    "pathfinder64": PathfinderSettings(resolution=64, **FEW),
    "pathx": PathfinderSettings(resolution=128, **FEW),
    "pathfinder256": PathfinderSettings(resolution=256, **FEW),
}
COMPARABLE = {
    "listops": "short expressions, minutes on a CPU",
    "pathfinder": "few and easy drawings, minutes on a CPU",
    "pathfinder64": "64 easy drawings, to see that a run works",
    "pathx": "64 easy drawings, to see that a run works",
    "pathfinder256": "64 easy drawings, to see that a run works",
}
TRAINING = TrainingSettings(steps=300, learning_rate=1e-3, warmup=30, eval_every=100)
FEW_STEPS = TrainingSettings(steps=16, learning_rate=1e-3, warmup=2, eval_every=8, batch=4)


def quick(task: str) -> Protocol:
    data = DATA[task]
    what = COMPARABLE.get(task, "few examples, minutes on a CPU")
    model = ModelSettings(positions=data.max_len, vocabulary=32 if task == "listops" else 512)
    training = TRAINING
    if task == "listops":
        training = replace(TRAINING, steps=600, warmup=60)
    elif what.startswith("64"):
        model, training = replace(model, layers=1, dim=32, heads=1, ffn=32, head=32), FEW_STEPS
    return Protocol(
        name="quick",
        source="this project",
        comparable=f"not comparable with LRA: {what}",
        deviations=(),
        task=data,
        model=model,
        training=training,
    )
