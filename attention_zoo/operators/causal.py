"""A causal attention of low rank, chunk by chunk in linear time and memory."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators.base import AttentionOperator
from attention_zoo.operators.cache import DecodingCache
from attention_zoo.precision import full_precision, lowest

SMALLEST, LARGEST = 32, 256  # tokens of a chunk; within these, as many as features


class CausalOperator(AttentionOperator):
    """Āᵢⱼ = φ(qᵢ)·φ(kⱼ) / Dᵢ for j ≤ i and 0 else, Dᵢ the row's sum (or, if that is
    larger, `least` times the number of real j; 0/0 = 0).

    In a chunk of C tokens the products are written down; from the chunks before comes one R×D
    state, a sum over their tokens: N·(C + R)·(R + D) operations and N·(C + R + D) numbers. Ā is
    lower triangular and no product of two narrow factors, so that polynomials of it are repeated
    applications.

    Where the keys are given by φ(kⱼ) = keysⱼ · exp(scaleⱼ), all numbers are relative to the largest
    scale up to each row, so that nothing overflows and no row depends on a later one. Only where
    φ(qᵢ) and all φ(kⱼ) have hardly a feature in common (Dᵢ below 10⁻³⁰ of |φ(qᵢ)| and the largest
    key) a row is 0. It is computed in float32 at least.
    """

    def __init__(
        self,
        queries: Tensor,  # (B, H, N, R): φ(q)
        keys: Tensor,  # (B, H, N, R), zero at padded positions
        like: Tensor,  # (B, H, N, D): the dtype of the results
        keep: Tensor | None,  # (B, N)
        *,
        scale: Tensor | None = None,  # (B, H, N), constants
        least: float = 0.0,
        cache: DecodingCache | None = None,
    ) -> None:
        super().__init__(like, keep)
        self.causal, self.cache = True, cache
        self.C = chunk_length(*queries.shape[2:])
        with full_precision(queries, keys) as (queries, keys):
            self._make(self._chunks(queries), self._chunks(keys), scale, least)

    def _make(self, queries: Tensor, keys: Tensor, scale: Tensor | None, least: float) -> None:
        later = torch.ones(self.C, self.C, dtype=torch.bool, device=keys.device).triu(1)
        weights = (queries @ keys.mT).masked_fill(later, 0.0)  # (B, H, n, C, C)
        self._tops: Tensor | None = None
        if scale is not None:
            scale, top, self._tops = self._running_maximum(scale)
            last = self._tops[:, :, 1:]
            weights = weights * (scale.mT - top).masked_fill(later, lowest(top)).exp()
            keys = keys * (scale - last).exp()
            queries = queries * (self._tops[:, :, :-1] - top).exp()
        self._right = keys.mT  # (B, H, n, R, C)
        D = weights.sum(-1, keepdim=True) + queries @ self._before(keys.sum(-2)[..., None], "norm")
        if least:
            D = torch.maximum(D, self._chunks(least * self._seen(queries)))
        limits = torch.finfo(D.dtype)
        D = torch.where(D > limits.tiny / limits.eps, D, torch.inf)
        self._within, self._left = weights / D, queries / D

    @staticmethod
    def cost(inputs: Inputs, R: int) -> Cost:
        B, H, N, D = inputs.shape
        C = chunk_length(N, R)
        chunks = B * H * -(-N // C)
        making = Product(C, R, C, chunks), Product(C, R, 1, chunks)
        return Cost(making, (Product(C, C, D, chunks), *(2 * (Product(C, R, D, chunks),))))

    def _chunks(self, x: Tensor, fill: float = 0.0) -> Tensor:  # (B, H, N, X) -> (B, H, n, C, X)
        N = x.shape[2]
        missing = -N % self.C
        return F.pad(x, (0, 0, 0, missing), value=fill).unflatten(2, (-1, self.C))

    def _running_maximum(self, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The scales by chunk (B, H, n, C, 1), their maxima up to each token, and those before
        each chunk and after the last (B, H, n + 1, 1, 1)."""
        low = lowest(scale)
        if self.keep is not None:
            scale = scale.masked_fill(~self.keep[:, None], low)
        before = None if self.cache is None else self.cache.get("top")  # (B, H, 1)
        if before is None:
            before = torch.full_like(scale[..., :1], low)
        top = torch.cat([before, scale], -1).cummax(-1).values[..., 1:]
        if self.cache is not None:
            self.cache.put("top", top[..., -1:])
        chunks = self._chunks(top[..., None], low).cummax(3).values
        tops = torch.cat([before[..., None, None], chunks[..., -1:, :]], 2)
        return self._chunks(scale[..., None], low), chunks, tops

    def _seen(self, like: Tensor) -> Tensor:  # (B, 1, N, 1)
        """How many real tokens there are up to each, counting from 1."""
        B, _, N, _ = self.shape
        real = like.new_ones(B, N) if self.keep is None else self.keep.to(like.dtype)
        seen = real.cumsum(-1)
        if self.cache is not None:
            before = self.cache.get("seen")  # (B, 1)
            seen = seen if before is None else seen + before
            self.cache.put("seen", seen[:, -1:])
        return seen.clamp(min=1)[:, None, :, None]

    def _before(self, own: Tensor, kind: str) -> Tensor:  # (B, H, n, R, X)
        """The sums of the chunks before each."""
        name = "" if self.cache is None else self.cache.stream(kind)
        first = None if self.cache is None else self.cache.get(name)
        if first is None:
            first = torch.zeros_like(own[:, :, 0])
        sums = torch.cat([first[:, :, None], own], 2)
        if self._tops is None:
            sums = sums.cumsum(2)
        else:
            shift, n = 1, sums.shape[2]
            while shift < n:  # a scan in log n steps, each sum relative to its own maximum
                decay = (self._tops[:, :, :-shift] - self._tops[:, :, shift:]).exp()
                earlier = F.pad(sums[:, :, :-shift] * decay, (0, 0, 0, 0, shift, 0))
                sums, shift = sums + earlier, 2 * shift
        if self.cache is not None:
            self.cache.put(name, sums[:, :, -1])
        return sums[:, :, :-1]

    def _apply(self, v: Tensor) -> Tensor:
        N = v.shape[2]
        with full_precision(v) as (x,):
            x = self._chunks(x)
            y = self._within @ x + self._left @ self._before(self._right @ x, "state")
        return y.flatten(2, 3)[:, :, :N].to(v.dtype)


def chunk_length(N: int, R: int) -> int:
    return max(1, min(N, max(SMALLEST, min(R, LARGEST))))
