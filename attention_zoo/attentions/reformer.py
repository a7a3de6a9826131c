"""Reformer: attention within the buckets of a locality-sensitive hash."""

import math
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.derivatives import Rules, autograd_function, save
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import (
    AttentionOperator,
    BlockOperator,
    from_blocks,
    gather_blocks,
    neighbours,
    to_blocks,
)
from attention_zoo.parts.hashing import angular_buckets, axes_for
from attention_zoo.parts.tokens import counts
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention

EPS = 1e-6  # of the mean square under the root: keys of zero queries have a bounded gradient


@register_attention("reformer")
class Reformer(Attention):
    """Āᵢⱼ ∝ exp(qᵢ·kⱼ) over Pᵢ = ∪ᵣ Pᵢ⁽ʳ⁾, rows sum to 1; keys are the queries, kⱼ = qⱼ/|qⱼ|.

    Round r sorts an example's real tokens by (bucket h⁽ʳ⁾, position) to places sᵢ⁽ʳ⁾ and cuts the
    order into chunks of m. Pᵢ⁽ʳ⁾ are the tokens of i's bucket in i's chunk and the one before:
    h⁽ʳ⁾(qⱼ) = h⁽ʳ⁾(qᵢ) and ⌊sᵢ/m⌋ − 1 ≤ ⌊sⱼ/m⌋ ≤ ⌊sᵢ/m⌋. A token is in its own Pᵢ only where
    nothing else is. h(x) = argmax([xΩ; −xΩ]) with Gaussian Ω, `rotations`.
    Rounds are weighed by their normalisers z(i, Pᵢ⁽ʳ⁾) and a pair that met in Nᵢⱼ rounds counts
    1/Nᵢⱼ in each: that is one softmax over the union, computed here by leaving out of a round the
    pairs of earlier rounds. Held: some 4·R·N·2m numbers.

    hashes: R rounds. chunk: m. An example of n tokens has 2^⌊log₂ 2n/m⌋ buckets, by its own n, so
    fewer than m tokens attend whole; of more than 2^⌊log₂ 2m⌋ buckets the number has several
    digits, each an argmax (unfactorised, hashing would cost N²). redraw: training steps between
    two draws of Ω; eval keeps the last. Defaults are those of transformers, which the LRA code of
    Nyströmformer and Skyformer wraps with 2 hashes; so are the powers of two, no
    further 1/√D, and |q|² + 1e-6·D in place of |q|².
    That code departs from the paper, which is followed here: it attends across buckets, counts a
    pair in each round where it met, lets the first chunk look back at the last, and takes the
    padded length for n. Google's LRA code does so, too, and differs further: always 10 chunks and
    10 buckets, logits √D q·q of queries that are not normalised, a token among its own Pᵢ, padding
    hashed as tokens, and no output projection; of 2 chunks it is softmax(√D q qᵀ).
    Kitaev et al. 2020 (arXiv 2001.04451), §2 and the appendix on multi-round attention.
    """

    support = Support(
        paper="Kitaev et al. 2020",
        rows_sum_to_one=True,
        time="N log N",
        memory="N",
        family="hashing and sampling",
        dynamic_length=False,
    )
    projections = ("q",)
    # Chunks that are small beside the kit's 17 and 33 tokens, which then have several digits, too.
    check_also = ("chunk=2", "chunk=4,hashes=3")
    exceptions: ClassVar = {
        "autocast": "a bucket is a discrete function of q: one that bfloat16 rounds flips some",
    }
    rotations: Tensor  # (H, hashes, D, axes)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        hashes: int = 2,
        chunk: int = 64,
        redraw: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if hashes < 1 or chunk < 1 or redraw < 0:
            raise UsageError(
                "reformer needs hashes ≥ 1, chunk ≥ 1 and redraw ≥ 0, "
                f"not {hashes}, {chunk} and {redraw}"
            )
        self.hashes, self.chunk, self.redraw = hashes, chunk, redraw
        self.bits = (max_len // chunk).bit_length()
        self.most = chunk.bit_length()  # of the bits in one argmax
        axes = axes_for(self.bits, self.most)
        self.register_buffer("rotations", torch.empty(heads, hashes, head_dim, axes))
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        self.rotations.copy_(torch.randn(self.rotations.shape, generator=generator))

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        dtype, (B, _, N, _), m = q.dtype, q.shape, self.chunk
        real = torch.ones(B, N, dtype=torch.bool, device=q.device) if keep is None else keep
        real = real[:, None, None]  # (B, 1, 1, N)
        with full_precision(q) as (q,):
            levels = m * 2 ** torch.arange(self.bits, device=q.device)
            bits = (counts(q, keep)[:, None] >= levels).sum(-1)
            bucket = angular_buckets(q, self.rotations, bits, self.most)  # (B, H, R, N)
            order = bucket.masked_fill(~real, 2**self.bits).argsort(dim=-1, stable=True)
            place = order.argsort(-1)  # the inverse
            index, there = neighbours(-(-N // m), 1, 0, q.device)

            # Two tokens meet in a round where their codes there differ by 0 or 1.
            code = (bucket * (index.shape[0] + 1) + place // m).masked_fill(~real, -1)
            visible = _meet(code.gather(-1, order), m, index, there)  # (B, H, R, n, m, 2m)
            for r in range(self.hashes - 1):
                earlier = code[:, :, r, None].expand(-1, -1, self.hashes - r - 1, -1)
                earlier = earlier.gather(-1, order[:, :, r + 1 :])
                visible[:, :, r + 1 :] &= ~_meet(earlier, m, index, there)

            queries = _Sort(q, order, place).flatten(1, 2)  # (B, H·R, N, D)
            keys = gather_blocks(to_blocks(_unit(queries), m), index)
            logits = to_blocks(queries, m) @ keys.mT  # (B, H·R, n, m, 2m)
            itself = torch.eye(m, dtype=torch.bool, device=q.device)
            itself = torch.cat([torch.zeros_like(itself), itself], 1)
            logits.masked_fill_(itself, lowest(q) / 2)
            logits.masked_fill_(~visible.flatten(1, 2), lowest(q))
            weights = self._softmax(logits, order, place, real).to(dtype)
        rounds = BlockOperator(queries, weights, index)
        return _RoundsOperator(q.to(dtype), rounds, order, place, keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), m, R = inputs.shape, self.chunk, self.hashes
        hashed = Product(N, D, R * self.rotations.shape[-1], B * H, backward=0)
        scores = Product(m, D, 2 * m, B * H * R * -(-N // m))
        return BlockOperator.cost(replace(inputs, H=R * H), m, 2).made_by(hashed, scores)

    def _softmax(
        self,
        logits: Tensor,  # (B, H·R, n, m, 2m)
        order: Tensor,  # (B, H, R, N)
        place: Tensor,  # (B, H, R, N)
        real: Tensor,  # (B, 1, 1, N)
    ) -> Tensor:
        """Over all logits of a token, whatever round they are of; 0 in the rows of pads."""
        N, rounds = order.shape[-1], order.shape[1:3]
        top = logits.detach().amax(-1).flatten(2)[..., :N].unflatten(1, rounds)
        top = top.gather(-1, place).amax(2, keepdim=True).masked_fill(~real, 0.0)
        top = top.expand_as(order).gather(-1, order).flatten(1, 2)[..., None]
        terms = (logits - to_blocks(top, self.chunk)).exp_()
        totals = from_blocks(terms.sum(-1, keepdim=True), N).unflatten(1, rounds)
        total = _Unsort(totals, order, place).masked_fill(~real[:, 0, ..., None], 1.0)
        share = _Sort(total.reciprocal(), order, place).flatten(1, 2)
        return terms * to_blocks(share, self.chunk)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, _, N, D = q.shape
        unit = q / (q.square().sum(-1, keepdim=True) + EPS * D).sqrt()
        scores = torch.einsum("bhid,bhjd->bhij", q, unit)
        matrix = torch.zeros_like(scores)
        for b in range(B):
            tokens = torch.arange(N) if keep is None else keep[b].nonzero()[:, 0]
            if len(tokens) == 0:
                continue
            pairs = torch.stack([self._pairs(q[b, :, tokens], r) for r in range(self.hashes)])
            met = pairs.sum(0).clamp(min=1).to(q.dtype)  # (H, n, n): Nᵢⱼ
            itself = torch.eye(len(tokens), dtype=torch.bool)
            terms = scores[b][:, tokens[:, None], tokens] - torch.where(itself, 1e5, met.log())
            terms = terms.masked_fill(~pairs, -torch.inf)  # (R, H, n, n)
            z = terms.logsumexp(-1, keepdim=True)
            rounds = (z - z.logsumexp(0)).exp() * (terms - z).exp()
            matrix[b, :, tokens[:, None], tokens] = rounds.sum(0)
        return matrix

    def _pairs(self, x: Tensor, r: int) -> Tensor:
        """Pᵢ⁽ʳ⁾ as a mask (H, n, n), places counted by comparing all of the n real tokens x."""
        n = x.shape[1]
        total = 2 ** max(0, math.floor(math.log2(2 * n / self.chunk)))
        bucket, known = torch.zeros(x.shape[:2], dtype=torch.long), 1
        for omega in self.rotations[:, r].to(x.dtype).split(2**self.most // 2, -1):
            if known < total:
                columns = min(total // known, 2**self.most) // 2
                rotated = torch.einsum("hnd,hdc->hnc", x, omega[..., :columns])
                bucket += known * torch.cat([rotated, -rotated], -1).argmax(-1)
                known *= 2 * columns
        i, j = bucket[..., :, None], bucket[..., None, :]
        earlier = (j < i) | ((j == i) & torch.ones(n, n, dtype=torch.bool).tril(-1))
        chunk = earlier.sum(-1) // self.chunk
        back = chunk[..., :, None] - chunk[..., None, :]
        return (i == j) & ((back == 0) | (back == 1))


def _unit(x: Tensor) -> Tensor:
    return x * (x.square().sum(-1, keepdim=True) + EPS * x.shape[-1]).rsqrt()


def _meet(
    code: Tensor,  # (B, H, R, N) in the order of each round, −1 at pads
    m: int,
    index: Tensor,  # (n, 2) the chunks that a chunk looks at
    there: Tensor,  # (n, 2) bool
) -> Tensor:  # (B, H, R, n, m, 2m) bool
    """Whether the code of a real key is that of the query or one less."""
    chunks = F.pad(code, (0, -code.shape[-1] % m), value=-1).unflatten(-1, (-1, m))
    keys = chunks[..., index, :].masked_fill(~there[..., None], -1).flatten(-2)[..., None, :]
    queries = chunks[..., None]
    return ((keys == queries) | (keys == queries - 1)) & (keys >= 0)


def _take(
    x: Tensor,  # (B, H, S, N, D), S = 1 or R
    index: Tensor,  # (B, H, R, N) long
) -> Tensor:  # (B, H, R, N, D)
    """Looks up whole rows; one of x where S = 1 serves all rounds."""
    *batch, N, D = x.shape
    start = N * torch.arange(math.prod(batch), device=x.device).view(*batch, 1)
    return x.reshape(-1, D).index_select(0, (start + index).flatten()).view(*index.shape, D)


@autograd_function
class _Sort(Rules):
    """(B, H, N, D) to (B, H, R, N, D) in the order of each round. Its adjoint `_Unsort` is a
    lookup as well, where autograd would add into rows."""

    @staticmethod
    def forward(x: Tensor, order: Tensor, place: Tensor) -> Tensor:
        return _take(x[:, :, None], order)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        save(ctx, *inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Unsort(grad, *ctx.saved_tensors), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return _Sort(dx, *ctx.saved_tensors)


@autograd_function
class _Unsort(Rules):
    """(B, H, R, N, D) in the order of each round to their sum (B, H, N, D)."""

    @staticmethod
    def forward(x: Tensor, order: Tensor, place: Tensor) -> Tensor:
        return _take(x, place).sum(2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        save(ctx, *inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Sort(grad, *ctx.saved_tensors), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return _Unsort(dx, *ctx.saved_tensors)


class _RoundsOperator(AttentionOperator):
    """Ā = Σᵣ Πᵣᵀ Āᵣ Πᵣ with Πᵣ the sort of round r and Āᵣ in blocks."""

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        rounds: BlockOperator,  # of (B, H·R, N, D)
        order: Tensor,  # (B, H, R, N) long
        place: Tensor,  # (B, H, R, N) long, its inverse
        keep: Tensor | None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.rounds, self.order, self.place = rounds, order, place

    def _apply(self, v: Tensor) -> Tensor:
        y = self.rounds._apply(_Sort(v, self.order, self.place).flatten(1, 2))
        return _Unsort(y.unflatten(1, self.order.shape[1:3]), self.order, self.place)
