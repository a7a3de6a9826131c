"""Linear attention with the elu+1 feature map."""

from typing import Any

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.derivatives import Rules, autograd_function, save
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import AttentionOperator, DecodingCache
from attention_zoo.parts.feature_maps import feature_map_operator, low_rank_cost, normalised_rows
from attention_zoo.registry import register_attention


@autograd_function
class _EluPlusOne(Rules):
    """φ(x) = x + 1 for x > 0, eˣ else. Not elu(x) + 1, whose −1 + 1 loses all digits of a small
    eˣ. The exponent stops at −30, so that no φ underflows; φ′ = min(φ, 1) needs φ alone."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clamp(-30, 0).exp_().add_(x.clamp(min=0))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        save(ctx, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        return features.clamp(max=1) * grad

    jvp = backward


@register_attention("linear")
class Linear(Attention):
    """Ā = D⁻¹ φ(q) φ(k)ᵀ with φ(x) = elu(x) + 1 and D its row sums; R = D features.

    Departures from public code: Nyströmformer's LRA code has a `linear` without a normaliser,
    φ(q) φ(k)ᵀ / √N for padded length N; Google's LRA code adds ε = 10⁻⁶ to D and takes padding for
    tokens.
    Katharopoulos et al. 2020 (arXiv 2006.16236), eqs. 5 and 7.
    """

    support = Support(
        paper="Katharopoulos et al. 2020",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="feature maps",
        causal="optional",
    )

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        return feature_map_operator(q, k, keep, _EluPlusOne, self.causal, cache)

    def cost(self, inputs: Inputs) -> Cost:
        return low_rank_cost(inputs, self.head_dim, self.causal)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        phi_q, phi_k = (torch.where(x > 0, x + 1, x.clamp(max=0).exp()) for x in (q, k))
        weights = torch.einsum("bhir,bhjr->bhij", phi_q, phi_k)
        return normalised_rows(weights, keep, self.causal)
