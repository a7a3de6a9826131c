"""Informer: softmax for the queries that matter, the mean for the others."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import RowsOperator
from attention_zoo.parts.tokens import counts
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention
from attention_zoo.state import check_on_load

BITS = 31  # of a draw


@register_attention("informer")
class Informer(Attention):
    """ProbSparse attention: row i of Ā is softmax(qᵢ kᵀ / √D) for the u queries of largest measure
    M̄ᵢ = maxⱼ sᵢⱼ − meanⱼ sᵢⱼ, sᵢⱼ = qᵢ·kⱼ / √D, and 1/n on the real keys for all others. Max and
    mean are over U keys, drawn with replacement and the same for all queries, so that n·U products
    decide. u = U = min(c⌈ln n⌉, n), n the real tokens of the example; where U = n the keys are all
    of them, once each. Rows sum to 1.

    factor: c; auto is ⌈128 / ln max_len⌉, from Skyformer's LRA configurations: about 128 queries
    at the lengths of LRA; 5 in the paper. Either grows with N log N for a given max_len. redraw:
    training steps between two draws; the public code draws at every pass.
    The choice has no gradient, the softmax rows have theirs. It holds rows (B, H, u+1, N), and
    draws (H, c⌈ln max_len⌉) that fall on the real tokens of any length, so that padding changes
    nothing. The public code draws keys for each query, which takes U·D numbers a token, and divides
    the sum over U keys by n; padded keys are in its draws, its mean and its softmax.
    Zhou et al. 2021 (arXiv 2012.07436), eq. 4 and algorithm 1, without the distilling between
    layers.
    """

    support = Support(
        paper="Zhou et al. 2021",
        rows_sum_to_one=True,
        time="N log N",
        memory="N log N",
        family="hashing and sampling",
        dynamic_length=False,
    )
    # At the kit's N the default takes every row.
    check_also = ("factor=1", "factor=3")
    draws: Tensor  # (H, U)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        factor: int | Literal["auto"] = "auto",
        redraw: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.factor = math.ceil(128 / math.log(max(max_len, 2))) if factor == "auto" else factor
        if self.factor < 1 or redraw < 0:
            raise UsageError(
                f"informer needs factor ≥ 1 and redraw ≥ 0, not {self.factor} and {redraw}"
            )
        lengths = torch.arange(1, max_len + 1, device="cpu")  # its values are read: not on meta
        few = self._few(lengths)
        self.redraw = redraw if (few < lengths).any() else 0  # with all queries and keys, no draw
        self.register_buffer("draws", torch.empty(heads, int(few[-1]), dtype=torch.long))
        self.resample(torch.Generator().manual_seed(0))
        check_on_load(self, factor=self.factor)

    def resample(self, generator: torch.Generator) -> None:
        self.draws.copy_(torch.randint(2**BITS, self.draws.shape, generator=generator))

    def _few(self, n: Tensor) -> Tensor:
        """u = U of examples of n tokens."""
        logs = n.clamp(min=1).double().log().ceil().long().clamp(min=1)
        return (self.factor * logs).minimum(n)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> RowsOperator:
        dtype, n = q.dtype, counts(q, keep)
        with full_precision(q, k) as (q, k):
            q = q * self.head_dim**-0.5
            with torch.no_grad():
                index = self._top_queries(q, k, keep, n)  # (B, H, u)
            # A zero query looks at all keys alike: the last row, and slots beyond an example's u.
            own = torch.arange(index.shape[2], device=q.device) < self._few(n)[:, None]
            top = q.gather(2, index[..., None].expand(-1, -1, -1, self.head_dim))
            top = F.pad(torch.where(own[:, None, :, None], top, 0), (0, 0, 0, 1))
            scores = top @ k.mT  # (B, H, u+1, N)
            if keep is not None:
                scores = scores.masked_fill(~keep[:, None, None], lowest(scores))
            rows = scores.softmax(-1)
        return RowsOperator(rows.to(dtype), index, keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), u = inputs.shape, int(self._few(torch.tensor(inputs.N)))
        measure, scores = Product(N, D, u, B * H, backward=0), Product(u + 1, D, N, B * H)
        return RowsOperator.cost(inputs, u).made_by(measure, scores)

    def _top_queries(self, q: Tensor, k: Tensor, keep: Tensor | None, n: Tensor) -> Tensor:
        B, H, N, D = q.shape
        few, n = self._few(n).view(B, 1, 1), n.view(B, 1, 1)
        widest = int(self._few(torch.tensor(N)))
        slot = torch.arange(widest, device=q.device)
        drawn = torch.where(few == n, slot, self.draws[:, :widest] * n >> BITS)  # (B, H, U) ranks
        if keep is not None:
            places = (~keep).long().argsort(stable=True)[:, None].expand(-1, H, -1)
            drawn = places.gather(2, drawn)
        sampled = k.gather(2, drawn[..., None].expand(-1, -1, -1, D))
        scores = q @ sampled.mT  # (B, H, N, U)
        beyond = (slot >= few)[:, :, None]  # (B, 1, 1, U)
        largest = scores.masked_fill(beyond, -torch.inf).amax(-1)
        measure = largest - scores.masked_fill(beyond, 0).sum(-1) / few.clamp(min=1)
        if keep is not None:
            measure = measure.masked_fill(~keep[:, None], -torch.inf)
        # Stable, where topk may break ties otherwise for another padding.
        return measure.argsort(dim=-1, descending=True, stable=True)[..., :widest]

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, H, N, D = q.shape
        matrix = q.new_zeros(B, H, N, N)
        for b in range(B):
            real = (q.new_ones(N) if keep is None else keep[b]).nonzero()[:, 0]
            n = len(real)
            if n == 0:
                continue
            u = min(n, self.factor * max(1, math.ceil(math.log(n))))
            for h in range(H):
                scores = q[b, h, real] @ k[b, h, real].T / math.sqrt(D)
                keys = self.draws[h, :u] * n // 2**BITS if u < n else slice(None)
                sample = scores.detach()[:, keys]
                measure = sample.amax(1) - sample.mean(1)
                first = measure.sort(descending=True, stable=True).indices[:u]
                block = torch.full_like(scores, 1 / n).index_copy(
                    0, first, scores[first].softmax(1)
                )
                matrix[b, h, real[:, None], real] = block
        return matrix
