"""What several tasks have in common: the archive that they are in, and parts of their setups.

Numbers are those of the released configurations: mlpen/Nystromformer, LRA/code/lra_config.py;
pkuzengqi/Skyformer, config/lra_config.py; google-research/long-range-arena.
"""

from dataclasses import replace

from lra.data.dataset import Archive
from lra.settings import Deviation, ModelSettings, Stated, TrainingSettings

# Tay et al. (2021): a tar.gz in spite of its name. Those who fetched it report 7.7 to 8.2 GB, and
# 18.6 GB unpacked.
LRA_RELEASE = Archive(
    name="lra_release.gz",
    url="https://storage.googleapis.com/long-range-arena/lra_release.gz",
    size=8_000_000_000,
    md5=None,
    unpacked=25_000_000_000,
)

# nystromformer and skyformer: two layers of 64 with two heads, AdamW under OneCycle.
SKYFORMER = TrainingSettings(steps=50_000, clip_value=1.0)
POOLING = Deviation(
    "mean pooling over true lengths (source: over padded length)", "--set model.pooling=padded_mean"
)
BLACK = Deviation(
    "black pixels are tokens (source: value 0 is padding, and the mean is over all positions)",
    "--set task.black=padding model.pooling=padded_mean",
)


def validated(batches: int, of: int) -> Deviation:
    """of: how many whole batches the validation split has."""
    return Deviation(
        f"each validation reads its whole split (source: {batches} batches of an endless stream, "
        f"of which a pass has {of})"
    )


# google: each task has a model of its own.
TEXTS = ModelSettings(bias=False, token_std=1.0, encoding="sinusoidal", pooling="cls")
PIXELS = ModelSettings(bias=False, token_std=1.0, vocabulary=256, dim=32, ffn=32, head=32)
RSQRT = TrainingSettings(
    schedule="rsqrt", learning_rate=0.05, beta2=0.98, epsilon=1e-9, weight_decay=0.1
)
WHOLE_BATCHES = Deviation(
    "evaluations count every example (source: whole batches only)", "--set training.drop_last=true"
)
GOOGLE_BLACK = Deviation(
    "black pixels are tokens (source: value 0 is padding, and CLS takes the first pixel's mask)",
    "--set task.black=padding",
)
BLOCKS_OF_IMAGES = tuple(
    Stated(f"{name}:block=64", f"image/configs/{{cifar10,pathfinder32}}/{name}_base.py, block_size")
    for name in ("local", "sinkhorn")
)


def epochs(count: int, steps: int, batch: int) -> TrainingSettings:
    """A cosine over `count` epochs of `steps`, one of them warm-up; validation after each."""
    cosine = TrainingSettings(schedule="cosine", learning_rate=1e-3, beta2=0.98, epsilon=1e-9)
    return replace(cosine, steps=count * steps, warmup=steps, eval_every=steps, batch=batch)


# quick: minutes on a CPU.
QUICK = TrainingSettings(steps=300, learning_rate=1e-3, warmup=30, eval_every=100)
FEW = {"train": 2_000, "val": 500, "test": 500}
