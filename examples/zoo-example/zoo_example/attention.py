"""Linear attention with exponential features."""

from torch import Tensor

from attention_zoo import (
    Attention,
    Cost,
    FactoredOperator,
    Inputs,
    Support,
    UsageError,
    full_precision,
    lowest,
    register_attention,
)


@register_attention("exponential")
class Exponential(Attention):
    """Ā = D⁻¹ φ(q) φ(k)ᵀ with φ(x) = exp(x / τ) and D its row sums; R = D features.

    temperature: τ. With log s the logsumexp of the keys over the tokens,
    left = softmax(q/τ + log s) and right = exp(k/τ − log s) have rows that sum to 1, whatever the
    size of q and k.
    """

    support = Support(paper="ours", rows_sum_to_one=True, time="N", memory="N")

    def __init__(
        self, *, heads: int, head_dim: int, max_len: int, temperature: float = 4.0
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if temperature <= 0:
            raise UsageError(f"exponential needs temperature > 0, not {temperature}")
        self.temperature = temperature

    def operator(
        self,
        q: Tensor,  # (B, H, N, D), zero at padded positions
        k: Tensor,  # (B, H, N, D)
        keep: Tensor | None,  # (B, N) bool, True for a real token
    ) -> FactoredOperator:
        dtype = q.dtype
        with full_precision(q, k) as (q, k):
            keys = k / self.temperature
            if keep is not None:
                keys = keys.masked_fill(~keep[:, None, :, None], lowest(keys))
            log_s = keys.logsumexp(-2, keepdim=True)  # (B, H, 1, R)
            left = (q / self.temperature + log_s).softmax(-1)
            right = (keys - log_s).exp().mT
        return FactoredOperator(left.to(dtype), right.to(dtype), keep)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:  # (B, H, N, N)
        weights = (q / self.temperature).exp() @ (k / self.temperature).exp().mT
        if keep is not None:
            weights = weights * keep[:, None, None]
        return weights / weights.sum(-1, keepdim=True).clamp(min=1e-300)

    def cost(self, inputs: Inputs) -> Cost:
        return FactoredOperator.cost(inputs, R=self.head_dim)
