"""A protocol that trains in a second."""

import functools
import tempfile
from pathlib import Path

from attention_zoo import parse_spec
from lra.data.prepare import prepare
from lra.protocols import QUICK, override
from lra.run_config import RunConfig
from lra.tasks import get_task
from lra.training.fit import train

SETTINGS = [
    *("task.train=200", "task.val=40", "task.test=50", "task.min_length=4", "task.max_length=32"),
    *("model.dim=16", "model.ffn=32", "model.head=16", "model.positions=32"),
    *("training.steps=12", "training.warmup=3", "training.batch=8", "training.eval_every=4"),
]
FOLDER = tempfile.TemporaryDirectory(prefix="lra-gfsa-tests-")  # until the session ends
PROTOCOL, MODIFIED = override(QUICK, SETTINGS)


@functools.cache
def store():
    return prepare(get_task("listops"), PROTOCOL.task, Path(FOLDER.name), workers=1)


def tiny_train(directory, spec="linear+gfsa", seed=0, precision="32-true", settings=()):
    protocol, _ = override(PROTOCOL, settings)
    return train(
        parse_spec(spec),
        "listops",
        protocol,
        store(),
        directory,
        seed=seed,
        precision=precision,
        accelerator="cpu",
    )


def config(spec="linear", seed=0, **changes):
    given = {
        "task": "listops",
        "attention": parse_spec(spec),
        "protocol": PROTOCOL,
        "modified": MODIFIED,
        "seed": seed,
        "precision": "32-true",
        "accelerator": "cpu",
    }
    return RunConfig(**given | changes)
