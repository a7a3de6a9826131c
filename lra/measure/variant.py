"""One variant under one protocol: what a table says of its cost."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from attention_zoo import Spec, parse_spec
from attention_zoo.costs import count_flops, cpu_allocator_peak
from lra.measure.memory import cuda_peaks, process_rss_peak
from lra.measure.timing import Timing, time_step
from lra.model import build_model
from lra.protocols import Protocol
from lra.seeds import generator
from lra.tasks import get_task
from lra.training.loss import training_loss
from lra.training.optimizer import parameter_groups

TRAINING_BUDGET, FORWARD_BUDGET = 20.0, 10.0  # seconds


@dataclass(frozen=True)
class Measurement:
    """At the protocol's batch and the task's full length, nothing padded.

    micro_batch: examples that went through the model at once, where not the whole batch.
    over_softmax: parameters more than the softmax model's, in percent. memory: bytes by method.
    flops: of one training step and one forward pass. kernels: what attention ran.
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


@dataclass(frozen=True)
class Steps:
    """A variant ready to be timed. training: forward, backward, and of a model the optimiser, too;
    forward: eval, no gradients, and none are left behind. Data are on the device; there is no
    loader and no logging."""

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
    model = build_model(spec, protocol, task, seed=0, max_len=N).to(device)
    call = torch.compile(model, dynamic=False) if compile else model
    optimizer = torch.optim.AdamW(parameter_groups(model, protocol.training.weight_decay))
    settings = protocol.training
    B = settings.batch
    about, draws = get_task(task).metadata, generator(0, "measure")
    shape = (B, N) if about.sequences == 1 else (B, about.sequences, N)
    first = 0 if about.padding is None else 1
    tokens = torch.randint(first, about.vocabulary, shape, generator=draws).to(device)
    keep = torch.ones(shape, dtype=torch.bool, device=device)
    labels = torch.randint(about.classes, (B,), generator=draws).to(device)

    def autocast() -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")

    def training() -> None:
        model.train()
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss, _ = training_loss(call, (tokens, keep, labels), micro)
        loss.backward()
        if settings.clip_value is not None:
            torch.nn.utils.clip_grad_value_(model.parameters(), settings.clip_value)
        if settings.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()

    @torch.no_grad()
    def forward() -> None:
        model.eval()
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            for i in range(0, B, micro or B):
                call(tokens[i : i + (micro or B)], keep[i : i + (micro or B)])

    return Steps(model, training, forward)


def measure(
    spec: Spec,
    task: str,
    protocol: Protocol,
    *,
    device: torch.device,
    precision: str,
    micro: int | None = None,
) -> Measurement:
    """Times and counts training steps and forward passes in this process."""
    steps = steps_of(spec, task, protocol, device=device, precision=precision, micro=micro)
    training_time = time_step(steps.training, device, TRAINING_BUDGET)
    forward_time = time_step(steps.forward, device, FORWARD_BUDGET)
    rss = process_rss_peak()  # before the profiler adds its own
    forward_flops, kernels = count_flops(steps.forward)
    memory = peaks(steps, device, rss)
    training_flops, _ = count_flops(steps.training)
    parameters = count_parameters(steps.model)
    plain = softmax_parameters(protocol, task)
    return Measurement(
        batch=protocol.training.batch,
        micro_batch=micro,
        length=protocol.task.max_len,
        parameters=parameters,
        over_softmax=100 * (parameters / plain - 1),
        training_step=training_time,
        forward=forward_time,
        examples_per_second=protocol.training.batch / training_time.median_ms * 1e3,
        seconds_per_1000_steps=training_time.median_ms,
        memory=memory,
        training_flops=training_flops,
        forward_flops=forward_flops,
        kernels=kernels,
    )


def peaks(steps: Steps, device: torch.device, rss: int) -> dict[str, int]:
    """Bytes of one training step among others, by every method of its device: the optimiser has
    its state, and no gradients are left. rss: what `process_rss_peak` gave before any profiler."""
    steps.training()
    steps.forward()  # which frees the gradients
    if device.type == "cuda":
        return cuda_peaks(steps.training)
    return {
        "cpu_allocator_peak": cpu_allocator_peak(steps.training),
        "process_rss_peak": rss,
    }


def softmax_parameters(protocol: Protocol, task: str) -> int:
    """Of the plain softmax model, which LRA's rule of 10 % is about."""
    with torch.device("meta"):
        return count_parameters(build_model(parse_spec("softmax"), protocol, task, seed=0))


def count_parameters(model: nn.Module) -> int:
    """Learned ones."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
