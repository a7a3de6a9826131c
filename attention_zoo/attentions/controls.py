"""Controls: what an attention, or a filter on it, must do better than."""

from collections.abc import Sequence

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import AttentionOperator, DecodingCache
from attention_zoo.operators.coefficients import Coefficient, add_scaled, scale
from attention_zoo.registry import register_attention


class MeanOperator(AttentionOperator):
    """Āv = 1·(mean of v over the real tokens). As Ā² = Ā, Σ cₖ Āᵏ v = c₀ v + (c₁ + c₂ + …) Āv."""

    def _apply(self, v: Tensor) -> Tensor:
        return self._mean(v).expand_as(v).contiguous()

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        constant, *higher = coefficients
        return add_scaled(scale(sum(higher), self._mean(v)).expand_as(v), constant, v)

    def _mean(self, v: Tensor) -> Tensor:  # (B, H, 1, D)
        # float16 would overflow in the sum over N.
        total = v.sum(-2, keepdim=True, dtype=torch.promote_types(v.dtype, torch.float32))
        if self.keep is None:
            return (total / v.shape[-2]).to(v.dtype)
        return (total / self.keep.sum(-1).clamp(min=1)[:, None, None, None]).to(v.dtype)


class RunningMeanOperator(AttentionOperator):
    """Āv = mean of v over the real tokens up to each, for `causal` operators."""

    def _apply(self, v: Tensor) -> Tensor:
        return self.mean(v)


class IdentityOperator(AttentionOperator):
    """Āv = v, so that Σ cₖ Āᵏ v = (Σ cₖ) v."""

    def _apply(self, v: Tensor) -> Tensor:
        return v

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        return scale(sum(coefficients), v)


@register_attention("mean")
class Mean(Attention):
    """Ā = 1·1ᵀ/n over the n real tokens: every token gets the mean of all, whatever they hold.

    It controls for attention that only pools. From Ā² on, powers of a smooth Ā (that of elu+1 or
    of efficient attention) are nearly 1·πᵀ, one weighted mean for all tokens, so that GFSA (Choi,
    Wi et al. 2024, arXiv 2312.04234) on them is close to a filter of I, Ā and a mean. Here the
    weights are equal and Ā² = Ā, and GFSA weighs each token against the mean and does no more.
    Causal, it is the mean of the tokens up to each, and Ā² is another matrix than Ā.
    Looks at neither q nor k.
    """

    support = Support(
        paper="control: token mean",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="controls",
        causal="optional",
    )
    projections = ()

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        return RunningMeanOperator(q, keep) if self.causal else MeanOperator(q, keep)

    def cost(self, inputs: Inputs) -> Cost:
        return Cost()

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, H, N, _ = q.shape
        if keep is None:
            keep = q.new_ones(B, N, dtype=torch.bool)
        real = keep[:, None, None].to(q.dtype)  # (B, 1, 1, N)
        if self.causal:
            real = real.expand(B, 1, N, N).tril()
        return (real / real.sum(-1, keepdim=True).clamp(min=1)).expand(B, H, N, N)


@register_attention("identity")
class Identity(Attention):
    """Ā = I on the real tokens: no token sees another, until the model pools them.

    It controls for what embeddings, feed-forward layers and pooling do alone. GFSA (Choi, Wi et
    al. 2024, arXiv 2312.04234) on it is v scaled by w₀ + w₁ + w_K in each head, so what it gains
    here is not due to a graph. Looks at neither q nor k.
    """

    support = Support(
        paper="control: no mixing",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="controls",
        causal="always",
    )
    projections = ()

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> IdentityOperator:
        return IdentityOperator(q, keep)

    def cost(self, inputs: Inputs) -> Cost:
        return Cost()

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, H, N, _ = q.shape
        matrix = torch.eye(N, dtype=q.dtype, device=q.device).expand(B, H, N, N)
        return matrix if keep is None else matrix * keep[:, None, None]
