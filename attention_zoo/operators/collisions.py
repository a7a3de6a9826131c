"""An attention whose weights count in how many hashes a query and a key collide."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.derivatives import Rules, autograd_function, save, tangent
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
            # Only the backward pass needs the queries in order.
            of_q = self.q_buckets.sorted if torch.is_grad_enabled() else self.q_buckets.unsorted
            buckets = *of_q, *self.k_buckets.sorted
            y = _Collisions(self.slope, self.q, self.k, wide.flatten(0, 2), *buckets)
        return y.view_as(v).to(v.dtype)


class _Sorted(NamedTuple):
    """rows: of a table, which each token belongs to, hash by hash, (m, L). tokens: by their rows,
    (m, L). starts: of each row among them, (m, rows)."""

    rows: Tensor
    tokens: Tensor | None
    starts: Tensor | None


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

    @property
    def unsorted(self) -> _Sorted:
        return _Sorted(self.rows, None, None)

    @cached_property
    def sorted(self) -> _Sorted:
        rows, tokens = self.rows.sort(-1)
        every = torch.arange(self.number, dtype=rows.dtype, device=rows.device)
        every = every.expand(rows.shape[0], -1).contiguous()
        starts = torch.searchsorted(rows, every, out_int32=True)
        return _Sorted(self.rows, tokens.int(), starts)


@autograd_function
class _Collisions(Rules):
    """Āᵢⱼ (1 + slope · (qᵢ·kⱼ − sg(qᵢ·kⱼ))) applied to v, Ā a constant."""

    @staticmethod
    def forward(
        slope: float,
        q: Tensor,  # (L, D)
        k: Tensor,  # (L, D)
        v: Tensor,  # (L, W)
        *buckets: Tensor | None,  # of q, then of k, each `_Sorted`
    ) -> Tensor:  # (L, W)
        return _Through(v, *buckets[3:], *buckets[:3])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.slope, *tensors = inputs
        save(ctx, *tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *buckets = ctx.saved_tensors
        of_q, of_k = buckets[:3], buckets[3:]
        to_q, to_k, to_v = ctx.needs_input_grad[1:4]
        grad_q = ctx.slope * _weighted(grad, v, k, of_k, of_q) if to_q else None
        grad_k = ctx.slope * _weighted(v, grad, q, of_q, of_k) if to_k else None
        grad_v = _Collisions(ctx.slope, k, q, grad, *of_k, *of_q) if to_v else None
        return None, grad_q, grad_k, grad_v, *[None] * 6

    @staticmethod
    def jvp(ctx: Any, _: None, *changes: Tensor | None) -> Tensor:
        q, k, v, *buckets = ctx.saved_tensors
        dq, dk, dv = changes[:3]
        of_q, of_k = buckets[:3], buckets[3:]
        change = _weighted(tangent(dq, q), k, v, of_k, of_q)
        change = change + _weighted(q, tangent(dk, k), v, of_k, of_q)
        return ctx.slope * change + _Through(tangent(dv, v), *of_k, *of_q)


@autograd_function
class _Through(Rules):
    """The mean over the hashes of the sum of x over the bucket that each token reads; linear in
    x, and its adjoint is itself with both sides exchanged."""

    @staticmethod
    def forward(
        x: Tensor,  # (L, W)
        into_rows: Tensor,
        into_tokens: Tensor,
        into_starts: Tensor,
        out_rows: Tensor,
        out_tokens: Tensor | None,
        out_starts: Tensor | None,
    ) -> Tensor:  # (L, W)
        y, number = torch.zeros_like(x), into_starts.shape[-1]
        groups = (part.split(TOGETHER) for part in (into_tokens, into_starts, out_rows))
        for tokens, starts, rows in zip(*groups, strict=True):
            place = torch.arange(rows.shape[0], dtype=rows.dtype, device=rows.device)[:, None]
            starts = (starts + x.shape[0] * place).flatten()
            tables = F.embedding_bag(tokens.flatten(), x, starts, mode="sum")  # bags: buckets
            y += F.embedding_bag((rows + number * place).mT, tables, mode="sum")
        return y / into_rows.shape[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        save(ctx, *inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        into, out_of = ctx.saved_tensors[:3], ctx.saved_tensors[3:]
        return _Through(grad, *out_of, *into), *[None] * 6

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return _Through(dx, *ctx.saved_tensors)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, *buckets: Any) -> tuple[Tensor, int]:
        """Hashes in common are applied to all at once; others one after another."""
        of_x, *dims = in_dims
        x = x.expand(info.batch_size, *x.shape) if of_x is None else x.movedim(of_x, 0)
        if all(dim is None for dim in dims):
            wide = _Through(x.movedim(0, 1).flatten(1), *buckets)
            return wide.unflatten(1, (info.batch_size, -1)).movedim(1, 0), 0
        each = (
            [part] * info.batch_size if dim is None else part.movedim(dim, 0)
            for part, dim in zip(buckets, dims, strict=True)
        )
        return torch.stack([_Through(*one) for one in zip(x, *each, strict=True)]), 0


def _weighted(
    left: Tensor,  # (L, W)
    right: Tensor,  # (L, W)
    x: Tensor,  # (L, D)
    into: Sequence[Tensor],  # a `_Sorted`
    out_of: Sequence[Tensor],
) -> Tensor:  # (L, D)
    """Σⱼ Āᵢⱼ (leftᵢ·rightⱼ) xⱼ without the pairs: leftᵢ · Σⱼ Āᵢⱼ rightⱼ xⱼᵀ, some columns of x at
    a time."""
    columns = []
    for some in x.split(max(1, WIDTH // right.shape[1]), dim=1):
        outer = (some[:, :, None] * right[:, None, :]).flatten(1)
        states = _Through(outer, *into, *out_of).unflatten(1, (some.shape[1], -1))
        columns.append((states @ left[:, :, None]).squeeze(2))
    return torch.cat(columns, dim=1)
