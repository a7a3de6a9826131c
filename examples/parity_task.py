"""A task in a module of its own: is the number of ones in a string of bits odd?

python run_lra.py --task parity --protocol quick --attn linear linear+gfsa --plugin parity_task
"""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from lra.data.writer import Example, Writer
from lra.seeds import derive
from lra.settings import Count, ModelSettings, TrainingSettings
from lra.tasks import SPLITS, Setup, Task, TaskMetadata, TaskSettings, register_task
from lra.typed import frozen


@frozen
class ParitySettings(TaskSettings):
    """max_len: the most bits; the fewest are half as many."""

    DECIDE: ClassVar = {"generated": ("max_len", *SPLITS, "seed")}
    VOCABULARY: ClassVar = 3  # padding, a zero, a one

    task: Literal["parity"] = "parity"
    source: Literal["generated"] = "generated"
    train: Count = 2_000
    val: Count = 200
    test: Count = 200
    max_len: Count = 64
    seed: int = 0


def examples(
    settings: ParitySettings, files: dict[str, Path], writer: Writer
) -> dict[str, list[Example]]:
    """Distinct strings, so that no two splits share one."""
    rng = np.random.default_rng(derive(settings.seed, "parity"))
    sizes = {split: getattr(settings, split) for split in SPLITS}
    found: dict[bytes, int] = {}
    while len(found) < sum(sizes.values()):
        length = rng.integers(settings.max_len // 2, settings.max_len, endpoint=True)
        bits = rng.integers(2, size=length, dtype=np.uint8)
        found.setdefault(bytes(bits + 1), int(bits.sum()) % 2)
    rows = iter(((writer.add(tokens),), label) for tokens, label in found.items())
    return {split: [next(rows) for _ in range(size)] for split, size in sizes.items()}


register_task(
    Task(
        metadata=TaskMetadata(
            name="parity",
            title="Parity",
            modality="strings of bits",
            length=64,
            classes=2,
            chance=0.5,
            vocabulary=ParitySettings.VOCABULARY,
            padding=0,
            splits={"train": 2_000, "val": 200, "test": 200},
            source="drawn here",
            citation="none",
        ),
        settings=ParitySettings,
        protocols={
            "quick": Setup(
                task=ParitySettings(),
                model=ModelSettings(vocabulary=3, positions=64),
                training=TrainingSettings(steps=300, warmup=30, eval_every=100, learning_rate=1e-3),
            )
        },
        examples=examples,
    )
)
