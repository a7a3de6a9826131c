"""What loading a batch takes of a training step, for every task: `python -m benchmarks.loading`."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from attention_zoo import parse_spec
from lra.data.batches import Padding, Stream, training_batches
from lra.data.store import Split
from lra.measure.timing import time_step
from lra.measure.variant import steps_of
from lra.protocols import get_protocol, override
from lra.system.allocator import keep_freed_memory
from lra.system.environment import commit, processor
from lra.tasks import get_task, names


def split_of(task, protocol, folder):
    """Four batches of sequences of the full length, on disk as prepared data are."""
    about, N = get_task(task).metadata, protocol.task.max_len
    n = 4 * protocol.training.batch
    count = n * about.sequences
    tokens = np.random.default_rng(0).integers(1, min(about.vocabulary, 256), count * N, np.uint8)
    np.save(folder / "tokens.npy", tokens)
    members = np.arange(count, dtype=np.int32).reshape(n, about.sequences)
    np.random.default_rng(1).shuffle(members)
    return Split(
        np.load(folder / "tokens.npy", mmap_mode="r"),
        np.arange(count + 1, dtype=np.int64) * N,
        members,
        np.zeros(n, np.uint8),
    )


def loading(task, protocol, batches):
    """Median milliseconds for a batch, the first ones, which start the pass, left out."""
    with tempfile.TemporaryDirectory() as folder:
        split = split_of(task, protocol, Path(folder))
        stream = Stream(len(split), protocol.training.batch, batches + 2, seed=0)
        samples, start = [], time.perf_counter()
        for _ in training_batches(split, stream, Padding(protocol.task.max_len)):
            samples.append(1e3 * (time.perf_counter() - start))
            start = time.perf_counter()
    return statistics.median(samples[2:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--task", nargs="+", default=[task for task in names() if task != "pathfinder256"]
    )
    parser.add_argument("--protocol", default="nystromformer")
    parser.add_argument("--attn", default="linear", help="a cheap one: loading weighs most there")
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of steps a task")
    parser.add_argument("--set", nargs="+", default=[])
    options = parser.parse_args()
    keep_freed_memory()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {processor()}")
    print(f"commit {commit()}")
    print(f"a batch loaded and a training step of {options.attn}, {options.protocol}, medians")
    for task in options.task:
        protocol, _ = override(get_protocol(options.protocol, task), options.set)
        batch = loading(task, protocol, options.batches)
        cpu = torch.device("cpu")
        steps = steps_of(parse_spec(options.attn), task, protocol, device=cpu, precision="32-true")
        step = time_step(steps.training, cpu, options.budget).median_ms
        shape = f"{protocol.training.batch} × {protocol.task.max_len:,}"
        print(
            f"{task:>15} {shape:>13}: {batch:7.2f} ms of {step:9.1f} ms, {100 * batch / step:.2f} %"
        )


if __name__ == "__main__":
    main()
