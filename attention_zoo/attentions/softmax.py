"""Softmax attention from its definition."""

from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import DenseOperator
from attention_zoo.parts.exact import softmax_matrix
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
        dropout="fixed",
    )

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> DenseOperator:
        dtype = q.dtype
        with full_precision(q, k) as (q, k):
            scores = (q * self.head_dim**-0.5) @ k.mT
            if keep is not None:
                scores = scores.masked_fill(~keep[:, None, None], lowest(scores))
            matrix = scores.softmax(-1).to(dtype)
        return DenseOperator(matrix, keep)

    def cost(self, inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        return DenseOperator.cost(inputs).made_by(Product(N, D, N, B * H))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        return softmax_matrix(q, k, keep)
