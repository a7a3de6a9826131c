"""Softmax attention from its definition."""

from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, CachedOperator, DecodingCache, DenseOperator
from attention_zoo.parts.exact import lower_triangle, seen, softmax_matrix
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("softmax")
class Softmax(Attention):
    """Ā = softmax(q kᵀ / √D), written down: O(N²) memory.

    Vaswani et al. 2017 (arXiv 1706.03762), eq. 1.
    """

    support = Support(
        paper="Vaswani et al. 2017",
        rows_sum_to_one=True,
        time="N²",
        memory="N²",
        family="softmax",
        causal="optional",
        dropout="fixed",
    )

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        like, real = q, keep
        if cache is not None:
            k, real = cache.append("keys", k), cache.mask(keep, q)
        looks = seen(q, k, real) if self.causal else None if keep is None else keep[:, None, None]
        with full_precision(q, k) as (q, k):
            scores = (q * self.head_dim**-0.5) @ k.mT
            if looks is not None:
                scores = scores.masked_fill(~looks, lowest(scores))
            matrix = scores.softmax(-1).to(like.dtype)
        if cache is not None:
            return CachedOperator(like, keep, cache, lambda values: matrix @ values)
        return DenseOperator(matrix, keep)

    def cost(self, inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        return DenseOperator.cost(inputs).made_by(Product(N, D, N, B * H))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        return softmax_matrix(q, k, keep, lower_triangle(q) if self.causal else None)
