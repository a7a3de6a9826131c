"""What a hand-written autograd function needs, so that all of torch's transforms go through it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor


class Rules:
    """Base class of what `autograd_function` decorates: type checkers do not see that the name
    becomes a function."""

    if TYPE_CHECKING:

        def __new__(cls, *inputs: Any) -> Any: ...


def autograd_function(cls: type) -> Callable[..., Any]:
    """Class decorator: a function that keeps less for the backward pass than autograd would.

    The class has `forward`, `setup_context`, `backward` and `jvp` as of torch.autograd.Function,
    and `vmap` where the generated rule does not serve; its name becomes a function of forward's
    arguments. `backward` and `jvp` are written in differentiable operations on inputs and outputs
    alone: a saved intermediate has no graph, and derivatives of the second order would miss its
    part without a word. An in-place operation is on a tensor that each of its operands went into,
    so that vmap can batch it.
    """
    parts = {name: value for name, value in vars(cls).items() if isinstance(value, staticmethod)}
    rule = {"generate_vmap_rule": "vmap" not in parts}
    function: Any = type(cls.__name__, (torch.autograd.Function,), parts | rule)
    # torch.compile would break its graph at the transforms, which it has no use for.
    kept = {name: value for name, value in parts.items() if name not in ("jvp", "vmap")}
    traced: Any = type(cls.__name__, (torch.autograd.Function,), kept)

    def call(*inputs: Any) -> Any:
        return traced.apply(*inputs) if torch.compiler.is_compiling() else function.apply(*inputs)

    call.__name__, call.__doc__ = cls.__name__, cls.__doc__
    return call


def save(ctx: Any, *tensors: Tensor) -> None:
    """Keeps inputs and outputs for `backward` and for `jvp`."""
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


def tangent(given: Tensor | None, of: Tensor) -> Tensor:
    """A tangent that was not given is 0."""
    return torch.zeros_like(of) if given is None else given


def first_order(name: str, kernel: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """kernel(*tensors), for a kernel that has no second derivative and does not say so: asking for
    one raises RuntimeError.

    The engine drops a node that leads nowhere, and with it the error. So each gradient that leaves
    the kernel hangs on all that it was computed from: the tensors, and the gradient that came in.
    """
    came_in: list[Tensor] = []
    return _Leaving(name, came_in, kernel(*_Entering(name, came_in, *tensors)))


@autograd_function
class _Leaving(Rules):
    """Notes the gradient of the kernel's result."""

    @staticmethod
    def forward(name: str, came_in: list[Tensor], y: Tensor) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.came_in = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor]:
        if torch.is_grad_enabled():
            ctx.came_in[:] = [grad]
        return None, None, grad


@autograd_function
class _Entering(Rules):
    @staticmethod
    def forward(name: str, came_in: list[Tensor], *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(x.view_as(x) for x in tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.name, ctx.came_in, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            grads = _Refused(ctx.name, len(grads), *grads, *ctx.saved_tensors, *ctx.came_in)
            ctx.came_in.clear()
        return None, None, *grads

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> None:
        raise RuntimeError(f"{ctx.name} has no forward-mode derivative: its kernel has none")


@autograd_function
class _Refused(Rules):
    """Some gradients as they are, among more that they were computed from."""

    @staticmethod
    def forward(name: str, number: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(grad.view_as(grad) for grad in tensors[:number])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> None:
        raise RuntimeError(f"{ctx.name} has no second derivative: its kernel has none")
