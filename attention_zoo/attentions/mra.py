"""MRA-2: softmax attention in the blocks that matter most, and block averages elsewhere."""

import math
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, from_blocks, gather_blocks, to_blocks
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention
from attention_zoo.state import check_on_load


@register_attention("mra")
class MRA(Attention):
    """Āᵢⱼ ∝ exp(⟨qᵢ, kⱼ⟩/√D) where (x, y) ∈ J and exp(μₓᵧ) elsewhere, with x and y the blocks of b
    tokens of i and j, and μₓᵧ = ⟨q̄ₓ, k̄ᵧ⟩/√D of their means over the real tokens; rows sum to 1.
    `mode=sparse` is MRA-2-s, 0 outside J.

    J holds m⌈max_len/b⌉ pairs of blocks with a real token, of each head its own, or all there are:
    first the priors, then those with the largest μₓᵧ − maxᵧ μₓᵧ. Held: m·b weights a token, and
    (N/b)² of the means.
    block: b, 32 as the public kernels have it. blocks: m. first: so many blocks at the start are
    in J with all others, as rows and as columns. diagonal: w, |x − y| ≤ ⌊w/2⌋ are in J; 0 for none.
    m must exceed the priors of a row by 1, so that each row's largest block is in J.
    Defaults are the public LRA runs' for text and retrieval (mlpen/mra-attention,
    old_code/LRA/models/mra2/8). There ListOps, image and Pathfinder have diagonal=0; `mra2/8-s` is
    mode=sparse, with diagonal=0 for ListOps alone and first=0 for image.
    From that code, not the paper's words, is that it ranks by μ less its row's maximum. Departures
    from it: that maximum leaves out padded blocks, no 10⁻⁶ is added to the row sums, and the tiles
    of 4×8 pixels in which it orders images are left out.
    Zeng et al. 2022 (arXiv 2207.10284), MRA-2.
    """

    support = Support(
        paper="Zeng et al. 2022",
        rows_sum_to_one=True,
        time="N²",
        memory="N²",
        family="hierarchical",
        dynamic_length=False,
    )
    check_also = ("block=4,blocks=4", "block=3,blocks=2,first=0,diagonal=0,mode=sparse")
    exceptions: ClassVar = {
        "growth": "the means cost (N/b)², which is as much as the m·b·N of the blocks only from "
        "N = m·b³ on, 262,144 by default",
    }

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        block: int = 32,
        blocks: int = 8,
        mode: Literal["full", "sparse"] = "full",
        first: int = 1,
        diagonal: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if block < 1 or min(first, diagonal) < 0:
            raise UsageError(
                f"mra needs block ≥ 1, first ≥ 0 and diagonal ≥ 0, not {block}, {first} and "
                f"{diagonal}"
            )
        self.reach = diagonal // 2 if diagonal else -1
        least = 2 * first + (2 * self.reach + 1 if diagonal else 0) + 1
        if blocks < least:
            raise UsageError(
                f"mra needs blocks ≥ {least} with first={first} and diagonal={diagonal}, not "
                f"{blocks}"
            )
        self.block, self.first, self.mode = block, first, mode
        self.budget = blocks * -(-max_len // block)
        check_on_load(self, budget=self.budget)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        like, dtype, b = q, q.dtype, self.block
        with full_precision(q, k) as (q, k):
            real = q.new_ones(1, 1, q.shape[2], 1) if keep is None else keep[:, None, :, None].to(q)
            q, k, real = (to_blocks(x, b) for x in (q * self.head_dim**-0.5, k, real))
            count = real.sum(3)  # (B or 1, 1, n, 1)
            average = 1 / count.clamp(min=1)
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.mode == "full"):
                means = (q.sum(3) * average) @ (k.sum(3) * average).mT  # (B, H, n, n)
            picks = self._picks(means.detach(), count > 0)
            weights, total = _softmax_of(q, k, real, picks)
            if self.mode == "sparse":
                return _ResolutionsOperator(like, picks, weights.to(dtype), None, keep)
            chosen = torch.zeros_like(means, dtype=torch.bool).flatten(2)
            chosen = chosen.scatter(2, picks.rows * means.shape[3] + picks.columns, True)
            means = means + count.clamp(min=1).log().mT
            means = means.masked_fill(chosen.view_as(means) | (count == 0).mT, lowest(means))
            rest = means.logsumexp(-1, keepdim=True).expand_as(total)
            share, other = torch.stack([total, rest], -1).softmax(-1).split(1, -1)
            weights = (weights * _take(share, picks.rows)).to(dtype)
            coarse = _Coarse((means.softmax(-1) * average.mT).to(dtype), other.to(dtype))
        return _ResolutionsOperator(like, picks, weights, coarse, keep)

    def _picks(
        self,
        means: Tensor,  # (B, H, n, n)
        real: Tensor,  # (B or 1, 1, n, 1) bool
    ) -> "_Picks":
        """J."""
        n, there = means.shape[3], real & real.mT
        place = torch.arange(n, device=means.device)
        prior = (place[:, None] - place).abs() <= self.reach
        prior = prior | (place < self.first) | (place[:, None] < self.first)
        rank = means.masked_fill(~there, -torch.inf)
        rank = (rank - rank.amax(-1, keepdim=True)).masked_fill(prior, torch.inf)
        rank = rank.masked_fill(~there, -torch.inf).flatten(2)
        picked = rank.topk(min(self.budget, n * n), sorted=False).indices
        return _Picks(picked.div(n, rounding_mode="floor"), picked % n)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), b, full = inputs.shape, self.block, self.mode == "full"
        n = -(-N // b)
        fine = Product(b, D, b, B * H * min(self.budget, n * n))
        means = Product(n, D, n, B * H, backward=2 * full)
        applied = Product(b, b, D, fine.count)
        averages = (Product(n, n, D, B * H),) if full else ()
        return Cost((means, fine), (applied, *averages))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, H, N, D = q.shape
        block = torch.arange(N) // self.block
        n = int(block[-1]) + 1
        weights = q.new_zeros(B, H, N, N)
        for e in range(B):
            real = torch.ones(N, dtype=torch.bool) if keep is None else keep[e]
            tokens = [((block == x) & real).nonzero().flatten() for x in range(n)]
            there = [x for x in range(n) if len(tokens[x])]
            for h in range(H):
                means = {
                    (x, y): q[e, h, tokens[x]].mean(0) @ k[e, h, tokens[y]].mean(0) / math.sqrt(D)
                    for x in there
                    for y in there
                }
                chosen = self._ranked({xy: mean.item() for xy, mean in means.items()})
                exact = (q[e, h] @ k[e, h].T / math.sqrt(D)).exp()
                for (x, y), mean in means.items():
                    place = (e, h, tokens[x][:, None], tokens[y])
                    if (x, y) in chosen:
                        weights[place] = exact[place[2:]]
                    elif self.mode == "full":
                        weights[place] = mean.exp()
        total = weights.sum(-1, keepdim=True)
        return weights / torch.where(total > 0, total, 1.0)

    def _ranked(self, means: dict[tuple[int, int], float]) -> set[tuple[int, int]]:
        def rank(pair: tuple[int, int]) -> tuple[bool, float]:
            x, y = pair
            prior = min(x, y) < self.first or abs(x - y) <= self.reach
            return prior, means[pair] - max(mean for (row, _), mean in means.items() if row == x)

        return set(sorted(means, key=rank, reverse=True)[: self.budget])


class _Picks(NamedTuple):
    """Pairs of blocks, each (B, H, K) long."""

    rows: Tensor
    columns: Tensor


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Blocks of x (B or 1, H or 1, n, b, D) by their number (B, H, K), (B, H, K, b, D)."""
    return gather_blocks(x.expand(*index.shape[:2], -1, -1, -1), index[..., None])


def _spread(index: Tensor, like: Tensor) -> Tensor:
    """An index (B, H, K) for scattering blocks (B, H, K, b, ·)."""
    return index.view(*index.shape, *[1] * (like.dim() - 3)).expand_as(like)


def _softmax_of(
    q: Tensor,  # (B, H, n, b, D), scaled
    k: Tensor,  # (B, H, n, b, D)
    real: Tensor,  # (B or 1, 1, n, b, 1)
    picks: _Picks,
) -> tuple[Tensor, Tensor]:  # (B, H, K, b, b), (B, H, n, b)
    """Softmax over the columns of a row's picks, and the log of its total."""
    seen = _take(real, picks.columns).mT > 0
    scores = _take(q, picks.rows) @ _take(k, picks.columns).mT
    scores = scores.masked_fill(~seen, lowest(scores))
    peaks = scores.detach().amax(-1)
    where = _spread(picks.rows, peaks)
    peak = q.new_full(q.shape[:4], lowest(q)).scatter_reduce(2, where, peaks, "amax")
    weights = (scores - peak.gather(2, where)[..., None]).exp() * seen
    sums = torch.zeros_like(peak).scatter_add(2, where, weights.sum(-1))
    sums = sums.clamp(min=torch.finfo(sums.dtype).tiny)
    return weights / sums.gather(2, where)[..., None], peak + sums.log()


class _Coarse(NamedTuple):
    weights: Tensor  # (B, H, n, n), on the sums of blocks
    share: Tensor  # (B, H, n, b, 1), of each row


class _ResolutionsOperator(AttentionOperator):
    """Ā is dense in some pairs of blocks, and has one weight for each row and column block
    elsewhere."""

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        picks: _Picks,
        weights: Tensor,  # (B, H, K, b, b)
        coarse: _Coarse | None,
        keep: Tensor | None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.picks, self.weights, self.coarse = picks, weights, coarse

    def _apply(self, v: Tensor) -> Tensor:
        blocks = to_blocks(v, self.weights.shape[-1])
        parts = self.weights @ _take(blocks, self.picks.columns)
        result = torch.zeros_like(blocks, dtype=parts.dtype)
        result = result.scatter_add(2, _spread(self.picks.rows, parts), parts)
        if self.coarse is not None:
            means = (self.coarse.weights @ blocks.sum(3))[:, :, :, None]
            result = result + self.coarse.share * means
        return from_blocks(result, v.shape[2])
