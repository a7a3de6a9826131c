"""A protocol that trains in a second."""

import contextlib
import functools
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from attention_zoo import parse_spec
from lra.config import RunConfig
from lra.data.prepare import find_source, prepare
from lra.data.store import Split
from lra.protocols import get_protocol, override
from lra.tasks import get_task
from lra.training.fit import train
from lra.training.step import train_step

SETTINGS = [
    *("task.train=200", "task.val=40", "task.test=50", "task.min_length=4", "task.max_length=32"),
    *("model.dim=16", "model.ffn=32", "model.head=16", "model.positions=32"),
    *("training.steps=12", "training.warmup=3", "training.batch=8", "training.eval_every=4"),
]
FOLDER = tempfile.TemporaryDirectory(prefix="lra-gfsa-tests-")  # until the session ends
PROTOCOL, MODIFIED = override(get_protocol("quick", "listops"), SETTINGS)

SOURCE = find_source(get_task("listops"), PROTOCOL.task, Path(FOLDER.name))


def split_of(examples):
    """A split of (tokens, label) pairs, or of (tokens, tokens, label)."""
    sequences = [tokens for *members, _ in examples for tokens in members]
    ends = np.cumsum([0, *map(len, sequences)])
    tokens = np.frombuffer(b"".join(sequences), np.uint8)
    labels = np.array([label for *_, label in examples], np.uint8)
    return Split(tokens, ends, np.arange(len(sequences)).reshape(len(examples), -1), labels)


@functools.cache
def store():
    return prepare(SOURCE, print, workers=1)


def tiny_train(directory, spec="linear+gfsa", seed=0, precision="32-true", settings=(), **options):
    """Trains in `directory`, which is made."""
    directory.mkdir(exist_ok=True)
    protocol, _ = override(PROTOCOL, settings)
    micro = options.pop("micro_batch", None)
    variant = config(spec, seed, precision=precision, protocol=protocol, micro_batch=micro)
    return train(variant, store(), directory, options.pop("report", lambda report: None), **options)


def gradients_in(model, batch, micro=None, backward=torch.Tensor.backward):
    """Leaves the gradients of a training step, which optimises nothing; its loss and accuracy."""
    still = SimpleNamespace(zero_grad=model.zero_grad, step=lambda: None)
    return train_step(model, batch, still, still, backward, seed=0, step=1, micro=micro)


def config(spec="linear", seed=0, **changes):
    given = {
        "task": "listops",
        "attention": parse_spec(spec),
        "protocol": PROTOCOL,
        "data": SOURCE.fingerprint,
        "modified": MODIFIED,
        "seed": seed,
        "precision": "32-true",
        "accelerator": "cpu",
    }
    return RunConfig(**given | changes)


@contextlib.contextmanager
def unprivileged():
    """A folder to fill and a function to call then, from which on root, too, needs permissions."""
    me = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            yield Path(folder), lambda: me or os.seteuid(65534)
        finally:
            os.seteuid(me)
            for path, _, _ in os.walk(folder):
                os.chmod(path, 0o755)
