"""Flowformer: attention as a flow that is conserved at its sinks and at its sources."""

from typing import Literal

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import FactoredOperator, row_stochastic_factors, zero_pads
from attention_zoo.parts.tokens import counts
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("flowformer")
class Flowformer(Attention):
    """Ā = diag(σ(Î)) · P · diag(n softmax(Ô)), P = diag(1/I) φ(q) φ(k)ᵀ; R = D features.

    Sinks are the queries, sources the keys. I = φ(q) Σφ(k) flows into a sink and O = φ(k) Σφ(q)
    out of a source. Once each source's outflow is 1, Î = φ(q) Σ(φ(k)/O) flows into a sink; once
    each sink's inflow is 1, Ô = φ(k) Σ(φ(q)/I) out of a source: Ô are the column sums of P, whose
    rows sum to 1. The sources compete by softmax(Ô) over the tokens, σ(Î) allocates to the sinks.
    Rows of Ā sum to no fixed number.
    All sums, the softmax and n are over the real tokens; the released code masks no padding.
    Its factor n is here, its ε and its clamp of Ô to [−1, 1] ("for stability", not in its LRA
    code) are not: Ô has mean 1, so the clamp would end the competition above the mean.
    feature_map: φ, sigmoid, or the relu + 10⁻⁶ of the released LRA code, which takes the softmax
    over the heads instead of the tokens; here it is over the tokens, as in the paper. Sigmoid's
    argument stops at −30, so that no φ underflows.
    Wu et al. 2022 (arXiv 2202.06258).
    """

    support = Support(
        paper="Wu et al. 2022",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="feature maps",
    )
    check_also = ("feature_map=relu",)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        feature_map: Literal["sigmoid", "relu"] = "sigmoid",
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.feature_map = feature_map

    def _phi(self, x: Tensor) -> Tensor:
        return x.clamp(min=-30).sigmoid() if self.feature_map == "sigmoid" else x.relu() + 1e-6

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> FactoredOperator:
        dtype = q.dtype
        with full_precision(q, k) as (q, k):
            sinks, sources = zero_pads(self._phi(q), keep), zero_pads(self._phi(k), keep)
            left, right = row_stochastic_factors(sinks, sources)
            outgoing = left.sum(-2, keepdim=True) @ right  # Ô, (B, H, 1, N)
            # The same with sinks and sources exchanged: rows of diag(1/O) φ(k) φ(q)ᵀ sum to 1.
            back, forth = row_stochastic_factors(sources, sinks)
            incoming = back.sum(-2, keepdim=True) @ forth  # Î, (B, H, 1, N)
            if keep is not None:
                outgoing = outgoing.masked_fill(~keep[:, None, None], lowest(outgoing))
            n = counts(q, keep).to(q.dtype)[:, None, None, None]
            left = left * incoming.sigmoid().mT
            right = right * (n * outgoing.softmax(-1))
        return FactoredOperator(left.to(dtype), right.to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        flows = Product(1, D, N, 2 * B * H)
        return FactoredOperator.cost(inputs, R=D).made_by(flows)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        real = torch.ones_like(q[:, 0, :, 0]) if keep is None else keep.to(q.dtype)  # (B, N)
        if self.feature_map == "sigmoid":
            phi_q, phi_k = 1 / (1 + torch.exp(-q)), 1 / (1 + torch.exp(-k))
        else:
            phi_q, phi_k = q.clamp(min=0) + 1e-6, k.clamp(min=0) + 1e-6
        flow = torch.einsum("bhid,bhjd,bi,bj->bhij", phi_q, phi_k, real, real)
        incoming, outgoing = (
            torch.where(total > 0, total, 1.0) for total in (flow.sum(3), flow.sum(2))
        )
        conserved_in = torch.einsum("bhij,bhj->bhi", flow, 1 / outgoing)
        conserved_out = torch.einsum("bhij,bhi->bhj", flow, 1 / incoming)
        competing = conserved_out.exp() * real[:, None]
        competitors = competing.sum(-1, keepdim=True)
        competition = competing / torch.where(competitors > 0, competitors, 1.0)
        allocation = 1 / (1 + torch.exp(-conserved_in))
        n = real.sum(-1)[:, None, None]
        return torch.einsum("bhi,bhij,bhj->bhij", allocation / incoming, flow, competition * n)
