"""Kernelized attention: a Gaussian kernel in place of the softmax."""

from torch import Tensor

from attention_zoo.attention import WITHOUT_FLOAT16, Attention, Support
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import DenseOperator
from attention_zoo.parts.gaussian import gaussian, gaussian_matrix
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


@register_attention("kernelized")
class Kernelized(Attention):
    """Āᵢⱼ = exp(−|qᵢ − kⱼ|² / (2√D)), written down: O(N²) memory.

    That is softmax attention's numerator exp(qᵢ·kⱼ/√D) times exp(−(|qᵢ|² + |kⱼ|²)/(2√D)), with
    no normaliser: entries lie in (0, 1], rows sum to anything between 0 and the number of real
    tokens, and nothing divides by a length. Skyformer's code has attention dropout on it, as it has
    on softmax.
    Chen et al. 2021 (arXiv 2111.00035), "kernelized attention".
    """

    support = Support(
        paper="Chen et al. 2021",
        rows_sum_to_one=False,
        time="N²",
        memory="N²",
        family="kernel",
        dtypes=WITHOUT_FLOAT16,  # rows sum to as much as N
        dropout="fixed",
    )

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> DenseOperator:
        dtype = q.dtype
        hidden = None if keep is None else ~keep[:, None, None]
        with full_precision(q, k) as (q, k):
            scale = self.head_dim**-0.25
            matrix = gaussian(q * scale, k * scale, hidden)
        return DenseOperator(matrix.to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        return DenseOperator.cost(inputs).made_by(Product(N, D, N, B * H))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        matrix = gaussian_matrix(q, k)
        return matrix if keep is None else matrix * keep[:, None, None]
