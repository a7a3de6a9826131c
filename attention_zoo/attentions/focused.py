"""Focused linear attention (FLatten)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import (
    AttentionOperator,
    ConvolutionOperator,
    DecodingCache,
    SumOperator,
    convolution_kernel,
    toeplitz,
)
from attention_zoo.parts.feature_maps import feature_map_operator, low_rank_cost, normalised_rows
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention

EPSILON = 1e-6


@register_attention("focused")
class Focused(Attention):
    """Ā = D⁻¹ φ(q) φ(k)ᵀ (+ T), φ(x) = |x⁺|/|x⁺ᵖ| · x⁺ᵖ with x⁺ = (ReLU(x) + 1e-6) / softplus(s),
    powers by element and D the row sums; R = D features.

    s: learned, (H, D), zero at first, as in the released code, which also has the 1e-6; by it no
    row is empty, so without T rows sum to 1.
    p: the focusing factor, 3 as in the paper. conv: width of T, an odd number; 0 for none.
    T stands for the paper's depthwise convolution of v, which restores the rank of Ā. That one is
    two-dimensional, with a kernel for each channel and a bias; on a line of tokens, and with an Ā
    that is one matrix per head, T is a convolution along the tokens with one kernel a head. This
    is not the paper's, hence off unless asked for.
    The released code takes the norms over all heads together; here each head has its own. It adds a
    learned encoding of positions to k and 1e-6 to D; here is neither.
    Han et al. 2023 (arXiv 2308.00442).
    """

    support = Support(
        paper="Han et al. 2023",
        rows_sum_to_one=False,  # with conv
        time="N",
        memory="N",
        family="feature maps",
        causal="optional",
    )

    check_also = ("conv=5",)

    def __init__(
        self, *, heads: int, head_dim: int, max_len: int, p: int = 3, conv: int = 0
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if p < 1:
            raise UsageError(f"focused needs p ≥ 1, not {p}")
        self.p = p
        self.s = nn.Parameter(torch.zeros(heads, head_dim))
        self.kernel = convolution_kernel("focused", heads, conv)

    def make_causal(self) -> None:
        if self.kernel is not None:
            raise UnsupportedError("focused with conv has no causal form: T looks at later tokens")
        super().make_causal()

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        with full_precision(self.s) as (s,):
            scale = F.softplus(s)[:, None]  # (H, 1, D)

        def phi(x: Tensor) -> Tensor:
            x = (x.relu() + EPSILON) / scale
            # φ does not depend on this number; with it no power over- or underflows.
            powers = (x / x.detach().amax(-1, keepdim=True)).pow(self.p)
            return powers * (x.norm(dim=-1, keepdim=True) / powers.norm(dim=-1, keepdim=True))

        factored = feature_map_operator(q, k, keep, phi, self.causal, cache)
        if self.kernel is None:
            return factored
        return SumOperator(factored, ConvolutionOperator(q, self.kernel, keep))

    def cost(self, inputs: Inputs) -> Cost:
        cost = low_rank_cost(inputs, self.head_dim, self.causal)
        if self.kernel is None:
            return cost
        return cost + ConvolutionOperator.cost(inputs, K=self.kernel.shape[1])

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        scale = torch.log1p(self.s.to(q.dtype).exp())[:, None]

        def phi(x: Tensor) -> Tensor:
            x = (x.clamp(min=0) + 1e-6) / scale
            length, powered = (y.square().sum(-1, keepdim=True).sqrt() for y in (x, x**self.p))
            return length / powered * x**self.p

        matrix = normalised_rows(torch.einsum("bhid,bhjd->bhij", phi(q), phi(k)), keep, self.causal)
        return matrix if self.kernel is None else matrix + toeplitz(self.kernel, q.shape[2], keep)
