"""One variant under one protocol: what a table says of its cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.overrides import TorchFunctionMode

from attention_zoo import Spec, parse_spec
from attention_zoo.costs import cpu_allocator_peak
from lra.config import DTYPES
from lra.data.batches import Batch
from lra.measure.memory import cuda_peaks
from lra.measure.timing import Ratio, Timing
from lra.model import build_model
from lra.protocols import Protocol, TrainingSettings
from lra.seeds import generator
from lra.tasks import get_task
from lra.training.optimizer import Scaled, make_optimizer, schedule
from lra.training.step import autocast, train_step
from lra.typed import frozen

SEED = 0  # of weights, data and draws


@frozen
class Measurement:
    """At the protocol's batch and the task's full length, nothing padded.

    micro_batch: examples that went through the model at once, where not the whole batch.
    over_softmax: parameters more than the softmax model's, in percent. memory: bytes by method.
    flops: of one training step and one forward pass. kernels: what attention ran. ratio: of the
    training step to that of the attention without its last filter; None where it has none.
    """

    batch: int
    micro_batch: int | None
    length: int
    parameters: int
    over_softmax: float
    training_step: Timing
    forward: Timing
    examples_per_second: float
    seconds_per_1000_steps: float
    memory: dict[str, int]
    training_flops: int
    forward_flops: int
    kernels: list[str]
    ratio: Ratio | None = None


@dataclass(frozen=True)
class Steps:
    """A variant ready to be timed. training: of a model `train_step`, as training has it, else
    forward and backward; forward: eval, no gradients, and none are left behind. Data are on the
    device; there is no loader and no logging."""

    model: nn.Module
    training: Callable[[], None]
    forward: Callable[[], None]


def steps_of(
    spec: Spec,
    task: str,
    protocol: Protocol,
    *,
    device: torch.device,
    precision: str,
    micro: int | None = None,
    N: int | None = None,
    compile: bool = False,
) -> Steps:
    """micro: examples that go through the model at once, None for the whole batch. N: tokens of a
    sequence, None for the task's length."""
    N = N or protocol.task.max_len
    settings = protocol.training
    model = build_model(spec, protocol, task, seed=SEED, max_len=N).to(device)
    call = torch.compile(model, dynamic=False) if compile else model
    inner = make_optimizer(model, settings)
    optimizer = Scaled(inner, settings, device.type, enabled=precision == "16-mixed")
    batch = made_up_batch(task, settings.batch, N, device)
    course = repeated_course(inner, settings)

    def training() -> None:
        model.train()
        step, scheduler = next(course)
        with autocast(device, DTYPES[precision]):
            train_step(
                call,
                batch,
                optimizer,
                scheduler,
                optimizer.backward,
                seed=SEED,
                step=step,
                micro=micro,
            )

    @torch.no_grad()
    def forward() -> None:
        model.eval()
        optimizer.zero_grad()
        tokens, keep, _ = batch
        part = micro or len(tokens)
        with autocast(device, DTYPES[precision]):
            for i in range(0, len(tokens), part):
                call(tokens[i : i + part], keep[i : i + part])

    return Steps(model, training, forward)


def repeated_course(
    optimizer: Optimizer, settings: TrainingSettings
) -> Iterator[tuple[int, LRScheduler]]:
    """The steps of a training, over and over: measuring may take more than a protocol has."""
    while True:
        scheduler = schedule(optimizer, settings)
        for step in range(settings.steps):
            yield step, scheduler


def made_up_batch(task: str, B: int, N: int, device: torch.device) -> Batch:
    """Random tokens and labels; nothing is padded."""
    about, draws = get_task(task).metadata, generator(SEED, "measure")
    shape = (B, N) if about.sequences == 1 else (B, about.sequences, N)
    first = 0 if about.padding is None else 1
    tokens = torch.randint(first, about.vocabulary, shape, generator=draws)
    labels = torch.randint(about.classes, (B,), generator=draws)
    keep = torch.ones(shape, dtype=torch.bool)
    return tokens.to(device), keep.to(device), labels.to(device)


def peaks(steps: Steps, device: torch.device, rss: int) -> dict[str, int]:
    """Bytes of one training step among others, by every method of its device.

    Args:
        steps: whose optimiser has its state.
        rss: what `process_rss_peak` gave before any profiler.
    """
    steps.forward()  # which frees the gradients
    if device.type == "cuda":
        return cuda_peaks(steps.training)
    return {
        "cpu_allocator_peak": cpu_allocator_peak(steps.training),
        "process_rss_peak": rss,
    }


def softmax_parameters(protocol: Protocol, task: str) -> int:
    """Of the plain softmax model, which LRA's rule of 10 % is about."""
    with _Undrawn():
        return count_parameters(build_model(parse_spec("softmax"), protocol, task, seed=0))


class _Undrawn(TorchFunctionMode):
    """Leaves memory as it is where weights would be drawn. The meta device would do, too, but
    arithmetic on it imports torch's compiler, which takes a second."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function.__name__ in ("normal_", "uniform_", "kaiming_uniform_"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)


def count_parameters(model: nn.Module) -> int:
    """Learned ones."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
