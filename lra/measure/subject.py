"""What is measured: an operator, a layer or a training step, at one length."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attention_zoo import Spec, build_attention, build_layer
from lra.measure.job import Job
from lra.measure.sheet import Settings
from lra.measure.variant import Steps, steps_of
from lra.protocols import Protocol


def subject(job: Job, N: int, *, compile: bool) -> Steps:
    """The passes of a job's variant at length N, the same weights and inputs whenever it is made.

    Operator and layer: q, k, v or x of a standard normal distribution, whose gradients are wanted,
    too; nothing padded and no mask; the training pass is that of a loss to which an attention adds
    its term. Step: as a run is measured.
    """
    settings = job.settings
    if settings.level == "step":
        return steps_of(
            job.spec,
            settings.task,
            job.protocol,
            device=job.device,
            precision=settings.dtype,
            micro=settings.micro_batch,
            N=N,
            compile=compile,
        )
    torch.manual_seed(0)
    module = module_of(job.spec, settings, job.protocol, N).to(job.device, job.dtype)
    B, H, D = settings.batch, settings.heads, settings.head_dim
    shapes = [(B, N, H * D)] if settings.level == "layer" else [(B, H, N, D)] * 3
    if settings.level == "operator" and module.needs_input:
        shapes.append((B, N, H * D))
    inputs = [torch.randn(shape).to(job.device, job.dtype).requires_grad_() for shape in shapes]
    upstream = torch.randn_like(inputs[-1] if settings.level == "layer" else inputs[2])
    apply = applied(module, settings.level)
    call = torch.compile(apply, dynamic=False) if compile else apply
    leaves = [*inputs, *module.parameters()]

    def clear(training: bool = True) -> None:
        module.train(training)
        for leaf in leaves:
            leaf.grad = None

    def training() -> None:
        clear()
        y = call(*inputs)
        term = module.auxiliary_loss()
        terms = [] if term is None else [term]
        torch.autograd.backward([y, *terms], [upstream, *map(torch.ones_like, terms)])

    @torch.no_grad()
    def forward() -> None:
        clear(training=False)
        call(*inputs)

    return Steps(module, training, forward)


def module_of(spec: Spec, settings: Settings, protocol: Protocol | None, N: int) -> nn.Module:
    """An attention at level operator, else a layer, the first of the protocol's model at step."""
    H, D = settings.heads, settings.head_dim
    if settings.level == "operator":
        return build_attention(spec, heads=H, head_dim=D, max_len=N, dim=H * D)
    if protocol is None:
        return build_layer(spec, dim=H * D, heads=H, max_len=N)
    model = protocol.model
    return build_layer(spec, dim=model.dim, heads=H, max_len=N, bias=model.bias, inner=model.inner)


def applied(
    module: nn.Module, level: str, keep: Tensor | None = None
) -> Callable[..., Tensor]:  # (q, k, v[, x]) or (x) to Āv or the layer's result
    def operator(q: Tensor, k: Tensor, v: Tensor, x: Tensor | None = None) -> Tensor:
        return module(q, k, keep, x) @ v

    return operator if level == "operator" else lambda x: module(x, keep, later(module, x))


def later(layer: nn.Module, x: Tensor) -> dict[str, Tensor] | None:
    """What a layer is given of the first one where it asks for its values: a layer alone would be
    its own first, and a remedy that pulls towards them would do nothing."""
    if getattr(layer, "on_values", None) is None:
        return None
    return {"values": x.new_zeros(*x.shape[:-1], layer.heads * layer.head_dim)}
