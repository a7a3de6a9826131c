"""softmax(q kᵀ / √D) over few columns a row.

A pattern is the disjoint union of parts. Each part is one batched product, and one softmax goes
over all of them, so that its weights are all that is held of it, once, in the inputs' dtype.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.derivatives import Rules, autograd_function, save, tangent
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
        layout = _Layout(parts)
        weights = _JointSoftmax(q, k, layout, dtype, *seen, *layout.tensors)
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

    def dropout(self, p: float) -> "PatternOperator":
        weights = [F.dropout(part, p) for part in self.weights]
        return PatternOperator(self.like, self.block, self.parts, weights, self.keep)

    def _apply(self, v: Tensor) -> Tensor:
        blocks = to_blocks(v.to(self.weights[0].dtype), self.block)
        layout = _Layout(self.parts)
        return from_blocks(_Apply(blocks, layout, *self.weights, *layout.tensors), v.shape[2])


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

    def dropout(self, p: float) -> "GlobalRowsOperator":
        return GlobalRowsOperator(self.like, F.dropout(self.weights, p), self.index, self.keep)

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


@autograd_function
class _JointSoftmax(Rules):
    """One function, because autograd would keep the gathered keys besides the weights, and one
    softmax over parts of different layouts would copy them all."""

    @staticmethod
    def forward(
        q: Tensor,  # (B, H, n, b, D)
        k: Tensor,  # (B, H, n, b, D)
        layout: "_Layout",
        dtype: torch.dtype,
        *tensors: Tensor,  # of each part what is seen, then those of the layout
    ) -> tuple[Tensor, ...]:
        seen, parts = layout.split(tensors)
        scores = [
            (part.rows(q) @ part.columns(k).mT).masked_fill(~mask, -torch.inf)
            for part, mask in zip(parts, seen, strict=True)
        ]
        views = [part.back(score) for part, score in zip(parts, scores, strict=True)]
        # Not −∞ in a row that sees nothing, whose weights are then 0 and not NaN.
        peak = reduce(torch.maximum, (view.amax(-1, keepdim=True) for view in views))
        peak = peak.clamp(min=lowest(peak))
        total = _sum(view.sub_(peak).exp_().sum(-1, keepdim=True) for view in views)
        share = total.clamp(min=torch.finfo(total.dtype).tiny).reciprocal_()
        for view in views:
            view.mul_(share)
        return tuple(score.to(dtype) for score in scores)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        q, k, ctx.layout, _, *tensors = inputs
        save(ctx, q, k, *output, *tensors[len(output) :])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, *tensors = ctx.saved_tensors
        weights, parts = ctx.layout.split(tensors)
        with full_precision(*grads) as grads:
            total = _total(parts, weights, grads)
            flow = [
                weight * (grad - part.rows(total))
                for part, weight, grad in zip(parts, weights, grads, strict=True)
            ]
            pairs = list(zip(parts, flow, strict=True))
            grad_q = _sum(part.back(x @ part.columns(k)) for part, x in pairs)
            grad_k = _sum(_transposed(part.columns, k, x.mT @ part.rows(q)) for part, x in pairs)
        return grad_q, grad_k, None, None, *[None] * len(tensors)

    @staticmethod
    def jvp(ctx: Any, dq: Tensor | None, dk: Tensor | None, *_: Any) -> tuple[Tensor, ...]:
        q, k, *tensors = ctx.saved_tensors
        weights, parts = ctx.layout.split(tensors)
        dq, dk = tangent(dq, q), tangent(dk, k)
        changes = [
            part.rows(dq) @ part.columns(k).mT + part.rows(q) @ part.columns(dk).mT
            for part in parts
        ]
        total = _total(parts, weights, changes)
        return tuple(
            (weight * (change - part.rows(total))).to(weight.dtype)
            for part, weight, change in zip(parts, weights, changes, strict=True)
        )


@autograd_function
class _Apply(Rules):
    """One function, because autograd would keep the gathered values of every application."""

    @staticmethod
    def forward(
        v: Tensor,  # (B, H, n, b, D)
        layout: "_Layout",
        *tensors: Tensor,  # the weights of each part, then those of the layout
    ) -> Tensor:
        weights, parts = layout.split(tensors)
        return _applied(v, parts, weights)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        v, ctx.layout, *tensors = inputs
        save(ctx, v, *tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        v, *tensors = ctx.saved_tensors
        weights, parts = ctx.layout.split(tensors)
        grad_v, grad_tensors = None, [None] * len(tensors)
        with torch.autocast(v.device.type, enabled=False):
            if any(ctx.needs_input_grad[2:]):
                of_weights = [part.rows(grad) @ part.columns(v).mT for part in parts]
                grad_tensors[: len(parts)] = of_weights
            if ctx.needs_input_grad[0]:
                grad_v = _sum(
                    _transposed(part.columns, v, weight.mT @ part.rows(grad))
                    for part, weight in zip(parts, weights, strict=True)
                )
        return grad_v, None, *grad_tensors

    @staticmethod
    def jvp(ctx: Any, dv: Tensor | None, _: None, *changes: Tensor | None) -> Tensor:
        v, *tensors = ctx.saved_tensors
        weights, parts = ctx.layout.split(tensors)
        of_weights = [tangent(change, of) for change, of in zip(changes, weights, strict=False)]
        return _applied(tangent(dv, v), parts, weights) + _applied(v, parts, of_weights)


def _applied(v: Tensor, parts: Sequence[Columns], weights: Sequence[Tensor]) -> Tensor:
    with torch.autocast(v.device.type, enabled=False):
        return _sum(
            part.back(weight @ part.columns(v)) for part, weight in zip(parts, weights, strict=True)
        )


def _total(parts: Sequence[Columns], weights: Sequence[Tensor], x: Sequence[Tensor]) -> Tensor:
    """Σ weights · x over all columns of a row, (B, H, n, b, 1)."""
    return _sum(
        part.back((weight * y).sum(-1, keepdim=True))
        for part, weight, y in zip(parts, weights, x, strict=True)
    )


class _Layout:
    """Parts without their tensors, which torch's transforms must see one by one."""

    def __init__(self, parts: Sequence[Columns]) -> None:
        self.parts = parts
        self.tensors = [field for part in parts for field in part if isinstance(field, Tensor)]

    def split(self, tensors: Sequence[Tensor]) -> tuple[Sequence[Tensor], list[Columns]]:
        """One tensor of each part, and the parts with the tensors that come after them."""
        number = len(self.parts)
        left = iter(tensors[number:])
        parts = [
            type(part)(*(next(left) if isinstance(field, Tensor) else field for field in part))
            for part in self.parts
        ]
        return tensors[:number], parts


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, terms)


def _transposed(columns: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """The transposed of the linear `columns` at x's shape, applied to y; differentiable by y."""
    return torch.func.vjp(columns, x.detach())[1](y)[0]
