"""An attention whose weights count in how many hashes a query and a key collide."""

from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators.base import AttentionOperator
from attention_zoo.precision import full_precision

TOGETHER = 4  # hashes whose tables are held at once
WIDTH = 128  # columns of the tables in the backward pass


class CollisionOperator(AttentionOperator):
    """Āᵢⱼ = (1/m) Σₕ 1[fₕ(qᵢ) = fₕ(kⱼ)] on real tokens; rows of padded positions are 0.

    One application sums v over the buckets of the keys and reads those of the queries: O(N m D)
    time, O((N + 2^τ)(m + D)) memory. The codes are constants; the gradient of q and k is that of
    Āᵢⱼ (1 + slope · (qᵢ·kⱼ − sg(qᵢ·kⱼ))), sg the stopped gradient, at D times the cost.
    """

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        q_codes: Tensor,  # (m, B, H, N) int32 in [0, buckets)
        k_codes: Tensor,  # (m, B, H, N)
        buckets: int,
        slope: float,
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.q, self.k, self.slope = q.flatten(0, 2), k.flatten(0, 2), slope
        self.q_buckets = _Buckets(q_codes, buckets, keep, own=0)
        self.k_buckets = _Buckets(k_codes, buckets, keep, own=1)

    @staticmethod
    def cost(inputs: Inputs) -> Cost:
        """Sums over buckets, and in the gradients of q and k a D×D state of each token times v."""
        B, H, N, D = inputs.shape
        return Cost(applying=(Product(N, D, D, B * H, forward=0, backward=2),))

    def _apply(self, v: Tensor) -> Tensor:
        with full_precision(v) as (wide,):
            wide = wide.flatten(0, 2)
            y = _Collisions.apply(self.q, self.k, wide, self.q_buckets, self.k_buckets, self.slope)
        return y.view_as(v).to(v.dtype)


class _Buckets:
    """Which row of a table each token of all heads belongs to, hash by hash. Each head has rows of
    its own; padded positions share one, another for queries than for keys."""

    def __init__(self, codes: Tensor, buckets: int, keep: Tensor | None, own: int) -> None:
        _, B, H, _ = codes.shape
        self.number = B * H * buckets + 2
        heads = torch.arange(B * H, dtype=codes.dtype, device=codes.device).view(B, H, 1)
        rows = codes + buckets * heads
        if keep is not None:
            rows = torch.where(keep[:, None], rows, self.number - 2 + own)
        self.rows = rows.flatten(1)  # (m, L), L = B·H·N

    @cached_property
    def sorted(self) -> tuple[Tensor, Tensor]:
        """The tokens by their rows, (m, L), and where each row starts among them, (m, rows)."""
        rows, tokens = self.rows.sort(-1)
        every = torch.arange(self.number, dtype=rows.dtype, device=rows.device)
        starts = torch.searchsorted(rows, every.expand(len(rows), -1).contiguous(), out_int32=True)
        return tokens.int(), starts


class _Collisions(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,  # (L, D)
        k: Tensor,  # (L, D)
        v: Tensor,  # (L, W)
        q_buckets: _Buckets,
        k_buckets: _Buckets,
        slope: float,
    ) -> Tensor:  # (L, W)
        ctx.save_for_backward(q, k, v)
        ctx.buckets, ctx.slope = (q_buckets, k_buckets), slope
        return _through(v, k_buckets, q_buckets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v = ctx.saved_tensors
        of_q, of_k = ctx.buckets
        to_q, to_k, to_v = ctx.needs_input_grad[:3]
        grad_q = ctx.slope * _weighted(grad, v, k, of_k, of_q) if to_q else None
        grad_k = ctx.slope * _weighted(v, grad, q, of_q, of_k) if to_k else None
        grad_v = _through(grad, of_q, of_k) if to_v else None
        return grad_q, grad_k, grad_v, None, None, None


def _through(
    x: Tensor,  # (L, W)
    into: _Buckets,
    out_of: _Buckets,
) -> Tensor:  # (L, W)
    """The mean over the hashes of the sum of x over the bucket that each token reads."""
    y = torch.zeros_like(x)
    groups = (part.split(TOGETHER) for part in (*into.sorted, out_of.rows))
    for tokens, starts, rows in zip(*groups, strict=True):
        place = torch.arange(len(rows), dtype=rows.dtype, device=rows.device)[:, None]
        starts = (starts + len(x) * place).flatten()
        tables = F.embedding_bag(tokens.flatten(), x, starts, mode="sum")  # bags: buckets
        y += F.embedding_bag((rows + into.number * place).mT, tables, mode="sum")
    return y / len(into.rows)


def _weighted(
    left: Tensor,  # (L, W)
    right: Tensor,  # (L, W)
    x: Tensor,  # (L, D)
    into: _Buckets,
    out_of: _Buckets,
) -> Tensor:  # (L, D)
    """Σⱼ Āᵢⱼ (leftᵢ·rightⱼ) xⱼ without the pairs: leftᵢ · Σⱼ Āᵢⱼ rightⱼ xⱼᵀ, some columns of x at
    a time."""
    columns = []
    for some in x.split(max(1, WIDTH // right.shape[1]), dim=1):
        outer = (some[:, :, None] * right[:, None, :]).flatten(1)
        states = _through(outer, into, out_of).unflatten(1, (some.shape[1], -1))
        columns.append((states @ left[:, :, None]).squeeze(2))
    return torch.cat(columns, dim=1)
