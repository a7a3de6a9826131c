"""Efficient attention: two softmaxes in place of one."""

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import FactoredOperator
from attention_zoo.parts.tokens import softmax_over_tokens
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


@register_attention("efficient")
class Efficient(Attention):
    """Ā = softmax(q over its features) · softmax(k over the tokens)ᵀ; R = D.

    Both factors have rows that sum to 1, so Ā has. There is no 1/√D: the released code has none.
    Shen et al. 2021 (arXiv 1812.01243), softmax normalisation.
    """

    support = Support(
        paper="Shen et al. 2021",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="feature maps",
    )

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> FactoredOperator:
        dtype = q.dtype
        with full_precision(q, k) as (q, k):
            left, right = q.softmax(-1), softmax_over_tokens(k, keep).mT
        return FactoredOperator(left.to(dtype), right.to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        return FactoredOperator.cost(inputs, R=self.head_dim)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        per_query, per_key = q.exp(), k.exp()
        if keep is not None:
            per_key = per_key * keep[:, None, :, None]
        per_query = per_query / per_query.sum(3, keepdim=True)
        per_key = per_key / per_key.sum(2, keepdim=True).clamp(min=1e-300)
        return torch.einsum("bhir,bhjr->bhij", per_query, per_key)
