"""Hedgehog: a learned feature map of exponentials."""

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, DecodingCache
from attention_zoo.parts.feature_maps import (
    log_feature_operator,
    low_rank_cost,
    normalised_rows,
)
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


def _log_features(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """log φ, (B, H, N, D) -> (B, H, N, 2D); weight (H, D, D), bias (H, 1, D)."""
    u = x @ weight.to(x.dtype).mT + bias.to(x.dtype)
    return torch.cat([u.log_softmax(-1), (-u).log_softmax(-1)], dim=-1)


@register_attention("hedgehog")
class Hedgehog(Attention):
    """Ā = D⁻¹ φ(q) φ(k)ᵀ with φ(x) = [softmax(u), softmax(−u)], u = Wx + b, D its row sums;
    R = 2D features.

    The paper's map is [exp(u), exp(−u)]; each half divided by its sum, which is another Ā, is what
    the authors' later code computes. flash-linear-attention takes one softmax over [2u, −2u], a
    third Ā. W (H, D, D) and b (H, 1, D) are learned, apart for q and k,
    and start as the identity and 0. No 1/√D. Trained by the task alone: the paper's loss that
    distils a softmax model is for converting one.
    log φ is kept, not φ, so that features which underflow are no 0/0 and need no ε.
    Zhang et al. 2024 (arXiv 2402.04347).
    """

    support = Support(
        paper="Zhang et al. 2024",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="feature maps",
        causal="optional",
    )

    def __init__(self, *, heads: int, head_dim: int, max_len: int) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        identity = torch.eye(head_dim).repeat(heads, 1, 1)
        self.weight_q, self.weight_k = nn.Parameter(identity), nn.Parameter(identity.clone())
        self.bias_q = nn.Parameter(torch.zeros(heads, 1, head_dim))
        self.bias_k = nn.Parameter(torch.zeros(heads, 1, head_dim))

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        like = q
        with full_precision(q, k) as (q, k):
            queries = _log_features(q, self.weight_q, self.bias_q)
            keys = _log_features(k, self.weight_k, self.bias_k)
            return log_feature_operator(queries, keys, keep, like, self.causal, cache)

    def cost(self, inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        features = Product(N, D, D, 2 * B * H)
        return low_rank_cost(inputs, 2 * D, self.causal).made_by(features)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        def phi(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            u = torch.einsum("bhnd,hed->bhne", x, weight.to(x.dtype)) + bias.to(x.dtype)
            halves = [half / half.sum(-1, keepdim=True) for half in (u.exp(), (-u).exp())]
            return torch.cat(halves, dim=-1)

        phi_q, phi_k = phi(q, self.weight_q, self.bias_q), phi(k, self.weight_k, self.bias_k)
        weights = torch.einsum("bhir,bhjr->bhij", phi_q, phi_k)
        return normalised_rows(weights, keep, self.causal)
