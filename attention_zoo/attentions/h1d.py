"""H-Transformer-1D: near tokens one by one, far ones in clusters that grow with their distance."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product, Products
from attention_zoo.operators import AttentionOperator
from attention_zoo.parts.windows import Window
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("h1d")
class H1D(Attention):
    """Āᵢⱼ ∝ exp(⟨q̄ᵢ, k̄ⱼ⟩/√D), with q̄ and k̄ the means over the real tokens of i's and j's clusters
    of 2^l tokens, rows sum to 1.

    At level l tokens are cut by position into clusters of 2^l and blocks of R clusters. The level
    of (i, j) is the first at which their blocks are the same or adjacent: level 0 is softmax
    attention within a block and its two neighbours, and each further level takes twice the distance
    at half the resolution, up to the one that has two blocks. At most 6·R·N weights are held.

    rank: R, even, the numerical rank of a far block; 16 as in the LRA runs of MRA attention
    (mlpen/mra-attention, old_code/LRA/encoders/htransformer1d.py, block_size; not this split).
    The values of a cluster are summed, so that each of its real tokens has the same weight.
    Departures from the authors' code (google/flaxformer, h_transformer/h_attention.py): it adds a
    relative position bias unless `use_rpb` is off; the mean of a cluster that holds padding is a
    mean of means there; and it stabilises the exponentials by one maximum for all rows.
    lucidrains' h-transformer-1d, which the LRA runs of MRA attention copy, is another matrix: at
    each level a block looks at its sibling alone, up to four blocks, so that the two halves of a
    sequence never meet; a row's total counts a cluster once, however many values it sums; and each
    level's exponentials are scaled by their own maxima.
    Zhu, Soricut 2021 (arXiv 2107.11906).
    """

    support = Support(
        paper="Zhu, Soricut 2021",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="hierarchical",
        dynamic_length=False,
    )
    check_also = ("rank=2", "rank=4")

    def __init__(self, *, heads: int, head_dim: int, max_len: int, rank: int = 16) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if rank < 2 or rank % 2:
            raise UsageError(f"h1d needs an even rank ≥ 2, not {rank}")
        self.rank = rank

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        like, R = q, self.rank
        weights, totals, shares = [], [], []
        with full_precision(q, k) as (q, k):
            real = q.new_ones(1, 1, q.shape[2], 1) if keep is None else keep[:, None, :, None].to(q)
            q, k, count = (_padded(x, R) for x in (q * self.head_dim**-0.5, k, real))
            for level in range(len(_blocks(like.shape[2], R))):
                if level:
                    share = _shares(count)
                    q, k = (_padded(_pooled(x, share), R) for x in (q, k))
                    count = _padded(_pooled(count, torch.ones_like(count)), R)
                    shares.append(share.to(like.dtype))
                weight, total = _softmax_over(q, k, count, R, coarse=level > 0)
                weights.append(weight)
                totals.append(total)
            levels = _mixed(weights, totals, like.dtype)
        return _HierarchyOperator(like, levels, shares, R, keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, self.rank
        sizes = [B * H * n for n in _blocks(N, R)]
        scores: Products = tuple(Product(R, D, 3 * R, n) for n in sizes)
        return Cost(scores, tuple(Product(R, 3 * R, D, n) for n in sizes))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, _, N, D = q.shape
        real = q.new_ones(B, N) if keep is None else keep.to(q.dtype)
        place = torch.arange(N)
        logits, missing = q.new_zeros(()), torch.ones(N, N, dtype=torch.bool)
        for level in range(N.bit_length() + 1):
            cluster, block = place // 2**level, place // (2**level * self.rank)
            together = (cluster[:, None] == cluster) * real[:, None]  # (B, N, N)
            average = together / together.sum(-1, keepdim=True).clamp(min=1)
            coarse_q, coarse_k = (torch.einsum("bij,bhjd->bhid", average, x) for x in (q, k))
            near = missing & ((block[:, None] - block).abs() <= 1)
            scores = torch.einsum("bhid,bhjd->bhij", coarse_q, coarse_k) / math.sqrt(D)
            logits, missing = logits + scores * near, missing & ~near
        weights = (logits - logits.amax(-1, keepdim=True)).exp() * real[:, None, None]
        total = weights.sum(-1, keepdim=True)
        return weights / torch.where(total > 0, total, 1.0)


def _blocks(N: int, R: int) -> list[int]:
    """How many blocks each level has, an even number."""
    numbers = [-(-N // (2 * R)) * 2]
    while numbers[-1] > 2:
        numbers.append(-(-numbers[-1] // 4) * 2)
    return numbers


def _padded(x: Tensor, R: int) -> Tensor:  # (…, T, D) to an even number of blocks
    return F.pad(x, (0, 0, 0, -x.shape[-2] % (2 * R)))


def _shares(count: Tensor) -> Tensor:
    """Of how many of its pair's real tokens each cluster has, (B or 1, 1, T, 1)."""
    pairs = count.unflatten(2, (-1, 2))
    return (pairs / pairs.sum(3, keepdim=True).clamp(min=1)).flatten(2, 3)


def _pooled(x: Tensor, share: Tensor) -> Tensor:  # (B, H, T, D) to (B, H, T/2, D)
    return (x * share).unflatten(2, (-1, 2)).sum(3)


def _softmax_over(
    q: Tensor,  # (B, H, T, D), scaled
    k: Tensor,  # (B, H, T, D)
    count: Tensor,  # (B or 1, 1, T, 1), how many real tokens each cluster has
    R: int,
    coarse: bool,
) -> tuple[Tensor, Tensor]:  # (B, H, n, R, 3R), (B, H, n, R, 1)
    """The weights of a level's averages of values among themselves, and the logs of their totals.

    A coarse level leaves out what is nearer: pairs in adjacent blocks, half as wide, of the level
    before."""
    half = torch.arange(-R, 2 * R, device=q.device).div(R // 2, rounding_mode="floor")
    near = (half - half[R : 2 * R, None]).abs() <= 1
    window = Window(R, R, ~(near & coarse))
    q, k, count = (x.unflatten(2, (-1, R)) for x in (q, k, count))
    count = window.columns(count).mT  # (B or 1, 1, n, 1, 3R)
    scores = q @ window.columns(k).mT + count.clamp(min=1).log()
    scores = scores.masked_fill(~(window.seen & (count > 0)), lowest(scores))
    total = scores.logsumexp(-1, keepdim=True)
    return (scores - total).exp(), total


def _mixed(
    weights: Sequence[Tensor],  # of each level (B, H, n, R, 3R)
    totals: Sequence[Tensor],  # (B, H, n, R, 1)
    dtype: torch.dtype,
) -> "list[_Level]":
    """One softmax over all levels: of each row's total, which share is its level's, and which that
    of the coarser ones."""
    above, levels = totals[-1].flatten(2, 3), [_Level(weights[-1].to(dtype), None)]
    for weight, total in reversed(list(zip(weights[:-1], totals[:-1], strict=True))):
        own = total.flatten(2, 3)
        both = torch.cat([own, _repeated(above, own)], -1)
        share, others = both.softmax(-1).split(1, -1)
        share = share.unflatten(2, total.shape[2:4])
        levels.append(_Level((weight * share).to(dtype), others.to(dtype)))
        above = both.logsumexp(-1, keepdim=True)
    return levels[::-1]


def _repeated(x: Tensor, like: Tensor) -> Tensor:
    """A row for each of a cluster's two, (B, H, T, ·) to as many as `like` has."""
    return x.repeat_interleave(2, 2)[:, :, : like.shape[2]]


class _Level(NamedTuple):
    weights: Tensor  # (B, H, n, R, 3R)
    above: Tensor | None  # (B, H, T, 1), the weight of the result of the level above


class _HierarchyOperator(AttentionOperator):
    """Ā = A₀ + diag(a₀) U (A₁ + diag(a₁) U (A₂ + …) P) P: P averages pairs, U repeats rows, and A_l
    are windows of blocks."""

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        levels: Sequence[_Level],
        shares: Sequence[Tensor],  # (B or 1, 1, T, 1) for each average
        R: int,
        keep: Tensor | None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.levels, self.shares, self.R = levels, shares, R

    def _apply(self, v: Tensor) -> Tensor:
        averages = [_padded(v, self.R)]
        for share in self.shares:
            averages.append(_padded(_pooled(averages[-1], share), self.R))
        result = v.new_empty(0)
        for x, (weights, above) in reversed(list(zip(averages, self.levels, strict=True))):
            columns = Window(self.R, self.R, weights).columns(x.unflatten(2, (-1, self.R)))
            own = (weights @ columns).flatten(2, 3)
            result = own if above is None else own + above * _repeated(result, own)
        return result[:, :, : v.shape[2]]
