"""Performer: softmax attention by positive random features, and its generalisation."""

import math
from typing import Literal

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, DecodingCache
from attention_zoo.parts.feature_maps import (
    feature_map_operator,
    log_feature_operator,
    low_rank_cost,
    normalised_rows,
)
from attention_zoo.parts.projections import orthogonal_gaussian
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


@register_attention("performer")
class Performer(Attention):
    """FAVOR+: Ā = D⁻¹ φ(q) φ(k)ᵀ, φ(x)ᵣ = exp(ωᵣ·x′ − |x′|²/2), x′ = √s x, which estimates
    softmax(s q kᵀ) without bias before the normalisation.

    features: R, the orthogonal Gaussian ω (R, D), shared by the heads. redraw: training steps
    between two draws (0: never again); fixed in eval and saved with the weights.
    logit_scale: s; auto is the paper's 1/√D. The LRA code of Nyströmformer and Skyformer scales q
    and k before it calls performer-pytorch, which scales them again: it has s = 1/D, which is
    logit_scale=1/D, with features=256 and 128, redraw=0.
    kernel: relu is the paper's generalised attention, φ(x)ᵣ = ReLU(ωᵣ·x / D^¼) + 10⁻³, as in
    performer-pytorch; Google's code has x for x / D^¼, beside which the same ε is smaller. With
    it, features=0 leaves ω out, φ(x) = ReLU(x) + 10⁻³: LRA's own configurations (but ListOps')
    have these deterministic features, and their 256 go unused.
    No stabiliser and no ε in the softmax features: the row-stochastic scaling is made of the
    exponents, and in it |q′|²/2 cancels. Departures from public code: performer-pytorch adds
    ε = 10⁻⁴, and Google's code 10⁻⁶, to features divided by the largest (of the keys: of all
    tokens, in that LRA code of the batch), which draws rows with small features to the mean. In
    that LRA code padded keys are zeroed and stay in the denominator by φ(0) > 0, in Google's they
    are not masked; Google's softmax features are drawn anew at each pass, in eval too.
    Choromanski et al. 2021 (arXiv 2009.14794), lemma 1 (eq. 7), eqs. 4 and 5, §2.4.
    """

    support = Support(
        paper="Choromanski et al. 2021",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="feature maps",
        causal="optional",
    )

    formula = ("kernel", {"logit_scale": "softmax"})
    # R = 12 < 2D takes the closed form of polynomials at the kit's D = 8, R = 64 the other.
    check_also = (
        "features=12,logit_scale=0.3",
        "features=64",
        "kernel=relu,features=12",
        "kernel=relu,features=0",
    )
    omega: Tensor  # (R, D)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        features: int = 256,
        redraw: int = 1000,
        kernel: Literal["softmax", "relu"] = "softmax",
        logit_scale: float | Literal["auto", "1/D"] = "auto",
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        least = 0 if kernel == "relu" else 1
        if features < least or redraw < 0:
            raise UsageError(
                f"performer needs features ≥ {least} and redraw ≥ 0, not {features} and {redraw}"
            )
        scales = {"auto": head_dim**-0.5, "1/D": 1 / head_dim}
        self.logit_scale = scales[logit_scale] if isinstance(logit_scale, str) else logit_scale
        if logit_scale != "auto" and (kernel == "relu" or self.logit_scale <= 0):
            raise UsageError(
                "performer needs logit_scale > 0, and kernel=softmax where it is given, "
                f"not {logit_scale} and {kernel}"
            )
        self.redraw, self.kernel = redraw if features else 0, kernel
        self.register_buffer("omega", torch.empty(features, head_dim))
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        if len(self.omega):
            self.omega.copy_(orthogonal_gaussian(len(self.omega), self.head_dim, generator))

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        if self.kernel == "relu":
            features = self._relu_features
            return feature_map_operator(q, k, keep, features, self.causal, cache)
        like = q
        with full_precision(q, k) as (q, k):
            omega = self.omega.to(q.dtype).mT * self.logit_scale**0.5
            keys = k @ omega - k.square().sum(-1, keepdim=True) * (self.logit_scale / 2)
            return log_feature_operator(q @ omega, keys, keep, like, self.causal, cache)

    def _relu_features(self, x: Tensor) -> Tensor:
        if len(self.omega):
            x = x @ (self.omega.to(x.dtype).mT * self.head_dim**-0.25)
        return x.relu() + 1e-3

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, len(self.omega)
        features = Product(N, D, R, 2 * B * H, backward=1)
        return low_rank_cost(inputs, R or D, self.causal).made_by(features)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        def relu_features(x: Tensor) -> Tensor:
            if self.omega.shape[0] == 0:
                return x.clamp(min=0) + 1e-3
            x = x / self.head_dim**0.25
            return torch.einsum("bhnd,rd->bhnr", x, self.omega.to(x.dtype)).clamp(min=0) + 1e-3

        def softmax_features(x: Tensor) -> Tensor:
            x = x * math.sqrt(self.logit_scale)
            norms = torch.einsum("bhnd,bhnd->bhn", x, x)[..., None]
            return torch.exp(torch.einsum("bhnd,rd->bhnr", x, self.omega.to(x.dtype)) - norms / 2)

        phi = relu_features if self.kernel == "relu" else softmax_features
        weights = torch.einsum("bhir,bhjr->bhij", phi(q), phi(k))
        return normalised_rows(weights, keep, self.causal)
