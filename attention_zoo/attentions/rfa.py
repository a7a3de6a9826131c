"""RFA: attention by random Fourier features."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import (
    AttentionOperator,
    CausalOperator,
    DecodingCache,
    FactoredOperator,
    zero_pads,
)
from attention_zoo.parts.tokens import counts
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


@register_attention("rfa")
class RFA(Attention):
    """Ā = D⁻¹ φ(q̂) φ(k̂)ᵀ, φ(x) = √(1/R) [sin ω₁·x/τ, …, sin ω_R·x/τ, cos ω₁·x/τ, …, cos ω_R·x/τ],
    which estimates exp(−|q̂ᵢ − k̂ⱼ|²/2τ²) without bias before the normalisation: softmax attention
    at temperature τ², since q̂ = q/|q| and k̂ = k/|k| are unit vectors. Without the gate.

    features: R; φ has 2R features. tau: τ, at least 0.7, which keeps exp(2/τ²) below 60. redraw:
    training steps between two draws of ω (H, R, D), independent Gaussian, each head's own; the
    paper takes another of many projections drawn beforehand at each step. R and τ are the released
    code's defaults; the scale of ω that it also learns, by head and dimension, is left out.
    Estimates may be negative, and a row's sum with them, but the kernel is not below exp(−2/τ²):
    Dᵢ = max(Σⱼ φ(q̂ᵢ)·φ(k̂ⱼ), n exp(−2/τ²)) for n real keys, so that Σⱼ |Āᵢⱼ| ≤ exp(2/τ²). The
    released code clamps at a constant instead, whatever n is. Rows sum to 1 where D is not clamped.
    Peng et al. 2021 (arXiv 2103.02143), §3.1.
    """

    support = Support(
        paper="Peng et al. 2021",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="feature maps",
        causal="optional",
    )

    # 2R = 12 < 2D takes the closed form of polynomials at the kit's D = 8.
    check_also = ("features=6,tau=1.5",)
    omega: Tensor  # (H, R, D)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        features: int = 64,
        tau: float = 1.0,
        redraw: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if features < 1 or tau < 0.7 or redraw < 0:
            raise UsageError(
                "rfa needs features ≥ 1, tau ≥ 0.7 and redraw ≥ 0, "
                f"not {features}, {tau} and {redraw}"
            )
        self.tau, self.redraw = tau, redraw
        self.register_buffer("omega", torch.empty(heads, features, head_dim))
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        self.omega.copy_(torch.randn(self.omega.shape, generator=generator))

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        like = q
        with full_precision(q, k) as (q, k):
            omega = self.omega.to(q.dtype).mT / self.tau

            def phi(x: Tensor) -> Tensor:
                angles = F.normalize(x, dim=-1, eps=1e-3) @ omega
                return torch.cat([angles.sin(), angles.cos()], dim=-1)

            R, least = self.omega.shape[1], math.exp(-2 / self.tau**2)
            left, right = phi(q), zero_pads(phi(k), keep)
            if self.causal:
                return CausalOperator(left, right / R, like, keep, least=least, cache=cache)
            n = counts(q, keep).clamp(min=1)[:, None, None, None].to(q.dtype)
            scale = (n * R).rsqrt()  # √(1/R) and √(1/n), which D contains, too
            left, right = left * scale, right * scale
            sums = left @ right.sum(-2)[..., None]  # (B, H, N, 1)
            left = left / sums.clamp(min=least)
        return FactoredOperator(left.to(like.dtype), right.mT.to(like.dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, self.omega.shape[1]
        features, sums = Product(N, D, R, 2 * B * H, backward=1), Product(N, 2 * R, 1, B * H)
        if self.causal:
            return CausalOperator.cost(inputs, 2 * R).made_by(features)
        return FactoredOperator.cost(inputs, 2 * R).made_by(features, sums)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        def phi(x: Tensor) -> Tensor:
            x = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-3)
            angles = torch.einsum("bhnd,hrd->bhnr", x, self.omega.to(x.dtype)) / self.tau
            features = torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)
            return features / math.sqrt(self.omega.shape[1])

        weights = torch.einsum("bhir,bhjr->bhij", phi(q), phi(k))
        real = torch.ones_like(q[:, 0, :, 0]) if keep is None else keep.to(q.dtype)  # (B, N)
        weights = weights * real[:, None, None]
        seen = real.sum(-1)[:, None, None, None]
        if self.causal:
            weights, seen = weights.tril(), real.cumsum(-1)[:, None, :, None]
        least = seen.clamp(min=1) * math.exp(-2 / self.tau**2)
        return weights / torch.maximum(weights.sum(-1, keepdim=True), least)
