"""cosFormer: ReLU features, re-weighted by the cosine of the distance."""

import math

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import AttentionOperator, FactoredOperator
from attention_zoo.parts.feature_maps import feature_map_operator, normalised_rows
from attention_zoo.parts.tokens import counts, ranks
from attention_zoo.registry import register_attention


@register_attention("cosformer")
class CosFormer(Attention):
    """Āᵢⱼ = Dᵢ⁻¹ ReLU(qᵢ)·ReLU(kⱼ) cos(π/2 · (i − j)/M), D the row sums.

    By cos(a − b) = cos a cos b + sin a sin b it has the R = 2D features
    [ReLU(x) cos(π i/2M), ReLU(x) sin(π i/2M)], all ≥ 0 for 0 ≤ i < M.
    i is a token's place among the real ones and M their number, so that an example has the same
    Ā however far it is padded. The paper asks for M ≥ N and its code takes the padded length,
    which is the same without padding; with M = max_len a short example would have cos ≈ 1.
    0/0 = 0 as in `relu`: all other rows sum to 1. The code clamps D at 1e-6 instead.
    Qin et al. 2022 (arXiv 2202.08791).
    """

    support = Support(
        paper="Qin et al. 2022",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="feature maps",
    )

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        n = counts(q, keep).clamp(min=1)[:, None]
        place = (ranks(q, keep).double() / n * (math.pi / 2))[:, None, :, None]  # (B, 1, N, 1)

        def phi(x: Tensor) -> Tensor:
            x = x.relu()
            return torch.cat([x * place.cos().to(x.dtype), x * place.sin().to(x.dtype)], dim=-1)

        return feature_map_operator(q, k, keep, phi)

    def cost(self, inputs: Inputs) -> Cost:
        return FactoredOperator.cost(inputs, R=2 * self.head_dim)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, _, N, _ = q.shape
        real = torch.ones(B, N, dtype=torch.bool, device=q.device) if keep is None else keep
        place = real.cumsum(-1).to(q.dtype)
        M = place[:, -1:, None].clamp(min=1)
        cosine = torch.cos(math.pi / 2 * (place[:, :, None] - place[:, None, :]) / M)
        weights = torch.einsum("bhid,bhjd->bhij", q.clamp(min=0), k.clamp(min=0))
        return normalised_rows(weights * cosine[:, None], keep)
