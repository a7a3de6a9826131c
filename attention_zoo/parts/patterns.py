"""softmax(q kᵀ / √D) over few columns a row.

A pattern is the disjoint union of parts. Each part is one batched product, and one softmax goes
over all of them, so that its weights are all that is held of it, once, in the inputs' dtype.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, from_blocks, to_blocks
from attention_zoo.parts.windows import Columns, take
from attention_zoo.precision import full_precision, lowest


def pattern_softmax(
    q: Tensor,  # (B, H, N, D)
    k: Tensor,  # (B, H, N, D)
    keep: Tensor | None,  # (B, N)
    block: int,
    parts: Sequence[Columns],
    rows: Tensor | None = None,  # (B or 1, 1, n, b or 1, 1) bool: the others are 0
) -> "PatternOperator":
    """softmax(q kᵀ / √D) over the real columns among the parts', which may not overlap; a row
    without one is 0."""
    dtype, like = q.dtype, q
    real = q.new_ones(1, q.shape[2], dtype=torch.bool) if keep is None else keep
    real = to_blocks(real[:, None, :, None], block)  # (B or 1, 1, n, b, 1)
    seen = [part.seen & part.columns(real).mT for part in parts]
    if rows is not None:
        rows = rows.expand(-1, -1, -1, block, -1)
        seen = [mask & part.rows(rows) for mask, part in zip(seen, parts, strict=True)]
    with full_precision(q, k) as (q, k):
        q, k = to_blocks(q * q.shape[-1] ** -0.5, block), to_blocks(k, block)
        weights = _JointSoftmax.apply(q, k, parts, seen, dtype)
    return PatternOperator(like, block, parts, weights, keep)


class PatternOperator(AttentionOperator):
    """Ā is the sum of its parts, each weights (…, c) on `part.columns(v)`."""

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        block: int,
        parts: Sequence[Columns],
        weights: Sequence[Tensor],
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.block, self.parts, self.weights = block, parts, weights

    @staticmethod
    def cost(inputs: Inputs, block: int, columns: int) -> Cost:
        """By how many columns a row looks at; those of pads in the last block count."""
        B, H, N, D = inputs.shape
        rows = -(-N // block) * block
        return Cost((Product(rows, D, columns, B * H),), (Product(rows, columns, D, B * H),))

    def _apply(self, v: Tensor) -> Tensor:
        blocks = to_blocks(v.to(self.weights[0].dtype), self.block)
        return from_blocks(_Apply.apply(blocks, self.parts, *self.weights), v.shape[2])


class GlobalRowsOperator(AttentionOperator):
    """The rows `index` of Ā are dense, all others 0."""

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        weights: Tensor,  # (B, H, G, N), zero in the columns of padded positions
        index: Tensor,  # (B or 1, G) long
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.weights, self.index = weights, index

    @staticmethod
    def cost(inputs: Inputs, G: int) -> Cost:
        B, H, N, D = inputs.shape
        return Cost((Product(G, D, N, B * H),), (Product(G, N, D, B * H),))

    def _apply(self, v: Tensor) -> Tensor:
        rows = self.weights @ v
        index = self.index[:, None, :, None].expand_as(rows)
        return rows.new_zeros(v.shape).scatter_add(2, index, rows)


def full_rows(
    q: Tensor,  # (B, H, N, D)
    k: Tensor,  # (B, H, N, D)
    keep: Tensor | None,  # (B, N)
    index: Tensor,  # (B or 1, G) long
    seen: Tensor,  # (B or 1, 1, 1, G) bool: the others are 0
) -> GlobalRowsOperator:
    """softmax(q kᵀ / √D) of few rows over all real columns."""
    like = q
    with full_precision(q, k) as (q, k):
        scores = take(q * q.shape[-1] ** -0.5, index) @ k.mT
        if keep is not None:
            scores = scores.masked_fill(~keep[:, None, None], lowest(scores))
        weights = (scores.softmax(-1) * seen.mT).to(like.dtype)
    return GlobalRowsOperator(like, weights, index, keep)


class _JointSoftmax(torch.autograd.Function):
    """One function, because autograd would keep the gathered keys besides the weights, and one
    softmax over parts of different layouts would copy them all."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,  # (B, H, n, b, D)
        k: Tensor,  # (B, H, n, b, D)
        parts: Sequence[Columns],
        seen: Sequence[Tensor],
        dtype: torch.dtype,
    ) -> tuple[Tensor, ...]:
        scores = [
            (part.rows(q) @ part.columns(k).mT).masked_fill_(~mask, -torch.inf)
            for part, mask in zip(parts, seen, strict=True)
        ]
        views = [part.back(score) for part, score in zip(parts, scores, strict=True)]
        # Not −∞ in a row that sees nothing, whose weights are then 0 and not NaN.
        peak = reduce(torch.maximum, (view.amax(-1, keepdim=True) for view in views))
        peak.clamp_(min=lowest(peak))
        total = _sum(view.sub_(peak).exp_().sum(-1, keepdim=True) for view in views)
        share = total.clamp_(min=torch.finfo(total.dtype).tiny).reciprocal_()
        for view in views:
            view.mul_(share)
        weights = tuple(score.to(dtype) for score in scores)
        ctx.parts = parts
        ctx.save_for_backward(q, k, *weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, *weights = ctx.saved_tensors
        parts = ctx.parts
        with full_precision(*grads) as grads:
            flow = [grad * weight for grad, weight in zip(grads, weights, strict=True)]
            views = [part.back(x) for part, x in zip(parts, flow, strict=True)]
            total = _sum(view.sum(-1, keepdim=True) for view in views)
            for part, view, weight in zip(parts, views, weights, strict=True):
                view.sub_(part.back(weight) * total)
            pairs = list(zip(parts, flow, strict=True))
            grad_q = _sum(part.back(x @ part.columns(k)) for part, x in pairs)
            grad_k = _sum(_transposed(part.columns, k, x.mT @ part.rows(q)) for part, x in pairs)
        return grad_q, grad_k, None, None, None


class _Apply(torch.autograd.Function):
    """One function, because autograd would keep the gathered values of every application."""

    @staticmethod
    def forward(
        ctx: Any,
        v: Tensor,  # (B, H, n, b, D)
        parts: Sequence[Columns],
        *weights: Tensor,
    ) -> Tensor:
        ctx.parts = parts
        ctx.save_for_backward(v, *weights)
        with torch.autocast(v.device.type, enabled=False):
            return _sum(
                part.back(weight @ part.columns(v))
                for part, weight in zip(parts, weights, strict=True)
            )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        v, *weights = ctx.saved_tensors
        grad_v, grad_weights = None, [None] * len(weights)
        with torch.autocast(v.device.type, enabled=False):
            if any(ctx.needs_input_grad[2:]):
                grad_weights = [part.rows(grad) @ part.columns(v).mT for part in ctx.parts]
            if ctx.needs_input_grad[0]:
                grad_v = _sum(
                    _transposed(part.columns, v, weight.mT @ part.rows(grad))
                    for part, weight in zip(ctx.parts, weights, strict=True)
                )
        return grad_v, None, *grad_weights


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, terms)


def _transposed(columns: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """The transposed of the linear `columns` at x's shape, applied to y."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(columns(x), x, y)[0]
