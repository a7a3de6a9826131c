"""Linear attention with the ReLU feature map."""

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import AttentionOperator, DecodingCache
from attention_zoo.parts.feature_maps import feature_map_operator, low_rank_cost, normalised_rows
from attention_zoo.registry import register_attention


@register_attention("relu")
class Relu(Attention):
    """Ā = D⁻¹ ReLU(q) ReLU(k)ᵀ, D its row sums; R = D features.

    A query whose positive features no key shares has D = 0, and 0/0 = 0: its row is zero. All
    other rows sum to 1.
    Cai et al. 2023 (arXiv 2205.14756), EfficientViT without its multi-scale tokens; also the
    ablation of cosFormer without re-weighting. Released code adds a small ε to D instead.
    """

    support = Support(
        paper="Cai et al. 2023",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="feature maps",
        causal="optional",
    )

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        return feature_map_operator(q, k, keep, torch.relu, self.causal, cache)

    def cost(self, inputs: Inputs) -> Cost:
        return low_rank_cost(inputs, self.head_dim, self.causal)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        weights = torch.einsum("bhid,bhjd->bhij", q.clamp(min=0), k.clamp(min=0))
        return normalised_rows(weights, keep, self.causal)
