"""SOFT: a Gaussian kernel between the queries alone, by way of landmarks."""

from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor

from attention_zoo.attention import WITHOUT_FLOAT16, Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import (
    AttentionOperator,
    ConvolutionOperator,
    LandmarkOperator,
    SumOperator,
    convolution_kernel,
    toeplitz,
)
from attention_zoo.parts.gaussian import gaussian, gaussian_matrix
from attention_zoo.parts.tokens import matrix_of_real_tokens, segment_means
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


@register_attention("soft")
class Soft(Attention):
    """Ā = φ(q, q̃) · Z · φ(q̃, q), φ(x, y) = exp(−|x − y|² / (2√D)), with the landmarks q̃ (R, D) the
    means of R segments of consecutive real tokens, and Z ≈ (M + γI)⁻¹, M = φ(q̃, q̃), by Newton's
    iteration Z ← 2Z − Z(M + γI)Z from Z₀ = 1.8 (M + γI) / ‖M‖₁². Keys are the queries, so that the
    kernel is positive semidefinite, and nothing is normalised: rows sum to anything.

    landmarks: R, 64 as in the LRA runs of MRA attention (mlpen/mra-attention,
    old_code/LRA/models/soft/64). An example of no more than R tokens has each as its landmark.
    iterations: 20, and ridge γ: 0.01, at most 0.05 (above, Z diverges): of the authors' code
    (fudan-zvg/SOFT, SOFT/kernel/inverse.py); the LRA runs have no ridge. conv: the width of a
    depthwise convolution of the values, one kernel a head, that is added (`soft/64-conv` has 33;
    0 for none).
    Our reading of the landmarks: a sample of q without weights. Both codes take a learned
    convolution of q with stride N/R, LayerNorm and GELU, which is of one length N and has D²·N/R
    weights. Gradients go through the iteration, where the authors' are those of the inverse,
    −ZᵀGZᵀ; the LRA runs scale Z₀ by the maximum over the batch and stop at entries above 10⁴.
    Lu et al. 2021 (arXiv 2110.11945).
    """

    support = Support(
        paper="Lu et al. 2021",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="low rank",
        dynamic_length=False,
        dtypes=WITHOUT_FLOAT16,  # rows sum to as much as N
    )
    projections: ClassVar[tuple[Literal["q", "k"], ...]] = ("q",)
    check_also = ("landmarks=4", "landmarks=12,conv=3,iterations=8")

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        landmarks: int = 64,
        iterations: int = 20,
        ridge: float = 0.01,
        conv: int = 0,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if landmarks < 1 or not 0 <= iterations <= 1_000 or not 0 < ridge <= 0.05:
            raise UsageError(
                "soft needs landmarks ≥ 1, 0 ≤ iterations ≤ 1,000 and 0 < ridge ≤ 0.05, "
                f"not {landmarks}, {iterations} and {ridge}"
            )
        self.landmarks, self.iterations, self.ridge = landmarks, iterations, ridge
        self.kernel = convolution_kernel("soft", heads, conv)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        dtype = q.dtype
        with full_precision(q) as (q,):
            q = q * self.head_dim**-0.25
            means, present = segment_means(q, keep, self.landmarks)
            absent = ~present[:, None, :, None]  # (B, 1, R, 1)
            columns = gaussian(means, q, absent if keep is None else absent | ~keep[:, None, None])
            core = self._inverse(gaussian(means, means, absent | absent.mT))
            left = gaussian(q, means, absent.mT)
        factored = LandmarkOperator(left.to(dtype), core.to(dtype), columns.to(dtype), keep)
        if self.kernel is None:
            return factored
        return SumOperator(factored, ConvolutionOperator(factored.left, self.kernel, keep))

    def _inverse(self, matrix: Tensor) -> Tensor:  # (B, H, R, R), its norm at least 1
        """Z. The norm is each matrix's own, and without the ridge, as the authors have it: it
        converges where 1.8 (1 + ridge)² < 2."""
        norm = matrix.sum(-1).amax(-1).clamp(min=1)[..., None, None]
        matrix = matrix + self.ridge * torch.eye(self.landmarks).to(matrix)
        z = 1.8 * matrix / norm.square()
        for _ in range(self.iterations):
            z = 2 * z - z @ matrix @ z
        return z

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, self.landmarks
        cost = LandmarkOperator.cost(inputs, R).made_by(
            Product(N, D, R, 2 * B * H),
            Product(R, D, R, B * H),
            Product(R, R, R, 2 * self.iterations * B * H),
        )
        if self.kernel is None:
            return cost
        return cost + ConvolutionOperator.cost(inputs, K=self.kernel.shape[1])

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        matrix = matrix_of_real_tokens(self._unpadded, q, k, keep)
        return matrix if self.kernel is None else matrix + toeplitz(self.kernel, q.shape[2], keep)

    def _unpadded(self, q: Tensor, k: Tensor) -> Tensor:  # (H, n, D) to (H, n, n)
        n, R, means = q.shape[1], self.landmarks, q
        if n > R:
            bounds = [-(-r * n // R) for r in range(R + 1)]  # segment r is where ⌊i·R/n⌋ = r
            means = torch.stack([q[:, start:end].mean(1) for start, end in pairwise(bounds)], 1)
        sketch, middle = (gaussian_matrix(x[None], means[None])[0] for x in (q, means))
        norm = middle.sum(-1).amax(-1)[:, None, None]
        middle = middle + self.ridge * torch.eye(middle.shape[-1], dtype=q.dtype)
        z = 1.8 * middle / norm**2
        for _ in range(self.iterations):
            z = 2 * z - torch.einsum("hrs,hst,htu->hru", z, middle, z)
        return torch.einsum("hir,hrs,hjs->hij", sketch, z, sketch)
