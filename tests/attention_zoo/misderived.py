"""What can be wrong with an attention's derivatives."""

import torch
from torch.autograd.function import once_differentiable

from attention_zoo import Support
from attention_zoo.attentions.linear import Linear
from attention_zoo.derivatives import autograd_function

GIVEN = {"paper": "none", "rows_sum_to_one": True, "time": "N", "memory": "N"}


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].cos()


@autograd_function
class _Intermediate:
    """Its backward pass uses what has no graph."""

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.slope = inputs[0].detach().cos()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.slope


@autograd_function
class _Scaled:
    """x, with a gradient and a forward-mode derivative by numbers of its own."""

    @staticmethod
    def forward(x, backward, jvp):
        return 1 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.of_gradient, ctx.of_tangent = inputs

    @staticmethod
    def backward(ctx, grad):
        return ctx.of_gradient * grad, None, None

    @staticmethod
    def jvp(ctx, change, *_):
        return ctx.of_tangent * change


class OnceDifferentiable(Linear):
    def operator(self, q, k, keep):
        return super().operator(_Once.apply(q), k, keep)

    def reference(self, q, k, keep):
        return super().reference(q.sin(), k, keep)


class Intermediate(OnceDifferentiable):
    def operator(self, q, k, keep):
        return Linear.operator(self, _Intermediate(q), k, keep)


class TwiceAfterAll(Linear):
    support = Support(**GIVEN, second_derivatives=False)


class Undeclared(Linear):
    def operator(self, q, k, keep):
        return super().operator(_Scaled(q, 2, 2), k, keep)


class NoSurrogate(Linear):
    support = Support(**GIVEN, surrogate_gradient=True)


class WrongForwardMode(Linear):
    def operator(self, q, k, keep):
        return super().operator(_Scaled(q, 1, 2), k, keep)


class BranchesOnData(Linear):
    def operator(self, q, k, keep):
        return super().operator(q if q.sum() > 0 else 1 * q, k, keep)


class BatchedAfterAll(Linear):
    support = Support(**GIVEN, vmap=False)


MISDERIVED = {
    "derivative": (Undeclared, NoSurrogate),
    "second_derivatives": (OnceDifferentiable, Intermediate, TwiceAfterAll),
    "jvps": (WrongForwardMode,),
    "vmaps": (OnceDifferentiable, BranchesOnData, BatchedAfterAll),
}
