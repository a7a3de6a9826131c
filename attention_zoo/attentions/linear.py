"""Linear attention with the elu+1 feature map."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import FactoredOperator
from attention_zoo.parts.feature_maps import feature_map_operator, normalised_rows
from attention_zoo.registry import register_attention


class _EluPlusOne(torch.autograd.Function):
    """φ(x) = x + 1 for x > 0, eˣ else. Not elu(x) + 1, whose −1 + 1 loses all digits of a small
    eˣ. The exponent stops at −30, so that no φ underflows; φ′ = min(φ, 1) needs φ alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        features = x.clamp(-30, 0).exp_().add_(x.clamp(min=0))
        ctx.save_for_backward(features)
        return features

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        return features.clamp(max=1).mul_(grad)


@register_attention("linear")
class Linear(Attention):
    """Ā = D⁻¹ φ(q) φ(k)ᵀ with φ(x) = elu(x) + 1 and D its row sums; R = D features.

    Katharopoulos et al. 2020 (arXiv 2006.16236), eqs. 5 and 7.
    """

    support = Support(
        paper="Katharopoulos et al. 2020",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="feature maps",
    )

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> FactoredOperator:
        return feature_map_operator(q, k, keep, _EluPlusOne.apply)

    def cost(self, inputs: Inputs) -> Cost:
        return FactoredOperator.cost(inputs, R=self.head_dim)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        phi_q, phi_k = (torch.where(x > 0, x + 1, x.clamp(max=0).exp()) for x in (q, k))
        weights = torch.einsum("bhir,bhjr->bhij", phi_q, phi_k)
        return normalised_rows(weights, keep)
