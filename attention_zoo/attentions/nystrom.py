"""Nyströmformer: softmax attention by way of landmarks."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
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
from attention_zoo.parts.inverse import inverse_product, iterative_inverse
from attention_zoo.parts.tokens import counts, matrix_of_real_tokens, segment_means, segments
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("nystrom")
class Nystrom(Attention):
    """Ā = softmax(q k̃ᵀ/√D) · Z · softmax(q̃ kᵀ/√D) + T, with the landmarks q̃, k̃ (R, D) the means
    of R segments of consecutive real tokens, Z ≈ softmax(q̃ k̃ᵀ/√D)⁺ by a fixed number of steps
    of a third-order iteration, and T the Toeplitz matrix of a convolution, one kernel a head.

    landmarks: R (64). conv: the kernel's width (35, odd; 0 for no T and no weights): a depthwise
    convolution of the values, the paper's skip connection. iterations: steps for Z (6). Defaults
    are the Nyströmformer repository's for LRA.
    An example of no more than R tokens has each as its landmark, where S S⁺ S = S: Ā is then
    softmax attention (+ T) itself, without the iteration. Rows sum to 1 only as far as Z is the
    inverse and T is 0.
    Departures from the public code: segments divide the true length, not the padded one, and their
    means leave out padding; the start of the iteration is scaled for each example and head, not by
    the maximum over the batch, which shows where 6 steps do not converge.
    Xiong et al. 2021 (arXiv 2102.03902).
    """

    support = Support(
        paper="Xiong et al. 2021",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="low rank",
        dynamic_length=False,
    )
    check_also = ("landmarks=4", "landmarks=4,conv=0", "landmarks=12,conv=3,iterations=2")

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        landmarks: int = 64,
        conv: int = 35,
        iterations: int = 6,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if landmarks < 1 or not 0 <= iterations <= 1_000:
            raise UsageError(
                "nystrom needs landmarks ≥ 1 and 0 ≤ iterations ≤ 1,000, "
                f"not {landmarks} and {iterations}"
            )
        self.landmarks, self.iterations = landmarks, iterations
        self.kernel = convolution_kernel("nystrom", heads, conv)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        dtype, R = q.dtype, self.landmarks
        few = (counts(q, keep) <= R)[:, None, None]  # (B, 1, 1)
        with full_precision(q, k) as (q, k):
            q = q * self.head_dim**-0.5
            q_means, present = segment_means(q, keep, R)
            k_means, _ = segment_means(k, keep, R)
            absent = ~present[:, None, None]  # (B, 1, 1, R)
            left = _softmax(q @ k_means.mT, absent)
            middle = _softmax(q_means @ k_means.mT, absent)
            hidden = None
            if keep is not None or q.shape[2] <= R:
                # A landmark that is one token looks at that token alone: B is then a selection.
                where, own = segments(q, keep, R)[:, None], torch.arange(R, device=q.device)
                hidden = torch.where(few, where != own[:, None], where == R)[:, None]
            columns = _softmax(q_means @ k.mT, hidden)
            core = torch.where(
                few[:, None],
                present.to(q.dtype).diag_embed()[:, None],
                iterative_inverse(middle, self.iterations),
            )
        factored = LandmarkOperator(left.to(dtype), core.to(dtype), columns.to(dtype), keep)
        if self.kernel is None:
            return factored
        return SumOperator(factored, ConvolutionOperator(factored.left, self.kernel, keep))

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, self.landmarks
        cost = LandmarkOperator.cost(inputs, R).made_by(
            Product(N, D, R, 2 * B * H),
            Product(R, D, R, B * H),
            inverse_product(R, self.iterations, B * H),
        )
        if self.kernel is None:
            return cost
        return cost + ConvolutionOperator.cost(inputs, K=self.kernel.shape[1])

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        matrix = matrix_of_real_tokens(self._unpadded, q, k, keep)
        return matrix if self.kernel is None else matrix + toeplitz(self.kernel, q.shape[2], keep)

    def _unpadded(self, q: Tensor, k: Tensor) -> Tensor:  # (H, n, D) to (H, n, n)
        n, R = q.shape[1], self.landmarks

        def kernel(x: Tensor, y: Tensor) -> Tensor:
            return torch.einsum("hid,hjd->hij", x, y).div(math.sqrt(q.shape[-1])).softmax(-1)

        if n <= R:
            return kernel(q, k)
        bounds = [-(-r * n // R) for r in range(R + 1)]  # segment r is where ⌊i·R/n⌋ = r
        q_means, k_means = (
            torch.stack([x[:, start:end].mean(1) for start, end in pairwise(bounds)], 1)
            for x in (q, k)
        )
        middle, eye = kernel(q_means, k_means), torch.eye(R, dtype=q.dtype)
        z = middle.transpose(1, 2) / torch.linalg.matrix_norm(middle, 1)[:, None, None]
        for _ in range(self.iterations):
            product = middle @ z
            z = z @ (13 * eye - 15 * product + 7 * product @ product - product @ product @ product)
            z = z / 4
        return kernel(q, k_means) @ z @ kernel(q_means, k)


def _softmax(logits: Tensor, hidden: Tensor | None) -> Tensor:
    if hidden is not None:
        logits = logits.masked_fill_(hidden, lowest(logits))
    return logits.softmax(-1)
