"""Taylor: the exponential of softmax attention to second order."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import FactoredOperator, zero_pads
from attention_zoo.operators.coefficients import Coefficient
from attention_zoo.operators.recurrence import Recurrence
from attention_zoo.parts.feature_maps import normalised_rows
from attention_zoo.parts.tokens import counts
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


class _Float32Factors(FactoredOperator):
    """Applies its factors in their own dtype and gives the result in v's: the signed features
    cancel, and in 16 bits more than the result would be lost."""

    def __init__(self, like: Tensor, left: Tensor, right: Tensor, keep: Tensor | None) -> None:
        super().__init__(left, right, keep)
        self.like = like

    @property
    def _keys(self) -> Tensor:
        return self.right.mT

    def _apply(self, v: Tensor) -> Tensor:
        with full_precision(v) as (wide,):
            return super()._apply(wide).to(v.dtype)

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        with full_precision(v) as (wide,):
            return super()._polynomial(coefficients, wide).to(v.dtype)

    def _series(self, coefficients: Sequence[Coefficient], v: Tensor, basis: Recurrence) -> Tensor:
        with full_precision(v) as (wide,):
            return super()._series(coefficients, wide, basis).to(v.dtype)


def _squares(x: Tensor) -> Tensor:
    """The d(d+1)/2 features (…, R₂) with f(x)·f(y) = (x·y)²/2. A pair xₐx_b and its mirror are one,
    which halves what the outer product would hold."""
    pairs = [x[..., a : a + 1] * x[..., a + 1 :] for a in range(x.shape[-1] - 1)]
    return torch.cat([x.square() * 0.5**0.5, *pairs], dim=-1)


@register_attention("taylor")
class Taylor(Attention):
    """Ā = D⁻¹ κ, κᵢⱼ = κ(tᵢⱼ) = 1 + t + t²/2 with t = (W_q qᵢ)·(W_k kⱼ) / √d, D its row sums.

    κ = ((1 + t)² + 1)/2 ≥ ½, though its features are signed. They are taken about the mean key:
    with t = t₀ + u, t₀ the mean key's score, κ(t) = κ(t₀) + (1 + t₀) u + u²/2, whose terms in u
    sum to 0 over a row, so that D is a sum of terms ≥ 0. R = 1 + d + d(d+1)/2; the factors are
    float32 for 16-bit inputs also.
    feature_dim: d. Based projects the layer's input straight to d = 16 per head; here W_q and W_k
    (H, d, D) stand behind the layer's own projections, which is the same family of maps where
    D ≥ d, and start with orthonormal rows (columns where D < d), which keep the scale of q and k.
    R = 153 by default. feature_dim=0: no W, d = D, R = 561 at D = 32.
    Based has features about 0, x_a x_b apart from x_b x_a, and an ε in D, which change nothing.
    Arora et al. 2024, "Based" (arXiv 2402.18668), its linear attention without the sliding window.
    """

    support = Support(
        paper="Arora et al. 2024",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="feature maps",
    )

    # d = 3 has R = 10 < 2D, the closed form of polynomials, at the kit's D = 8.
    check_also = ("feature_dim=0", "feature_dim=3")

    def __init__(self, *, heads: int, head_dim: int, max_len: int, feature_dim: int = 16) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if feature_dim < 0:
            raise UsageError(f"taylor needs feature_dim ≥ 0, not {feature_dim}")
        self.feature_dim = feature_dim or head_dim
        for name in ("project_q", "project_k") if feature_dim else ():
            weight = nn.Parameter(torch.empty(heads, feature_dim, head_dim))
            for head in weight:
                nn.init.orthogonal_(head)
            self.register_parameter(name, weight)

    def _project(self, x: Tensor, name: str) -> Tensor:
        weight = getattr(self, name, None)
        return x if weight is None else x @ weight.to(x.dtype).mT

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> FactoredOperator:
        like, n = q, counts(q, keep).clamp(min=1)[:, None, None, None]
        with full_precision(q, k) as (q, k):
            q = self._project(q, "project_q") * self.feature_dim**-0.25
            k = self._project(k, "project_k") * self.feature_dim**-0.25
            mean = k.sum(-2, keepdim=True) / n  # k is 0 at pads
            around = k - mean
            phi_k = torch.cat([torch.ones_like(k[..., :1]), around, _squares(around)], dim=-1)
            phi_k = zero_pads(phi_k, keep)
            slope = 1 + q @ mean.mT  # 1 + t₀, (B, H, N, 1)
            center, squares = (slope.square() + 1) / 2, _squares(q)
            spread = squares @ phi_k[..., 1 + self.feature_dim :].sum(-2)[..., None]
            per_row = 1 / (n * center + spread.clamp(min=0))
            left = torch.cat([center * per_row, slope * per_row * q, squares * per_row], dim=-1)
        return _Float32Factors(like, left, phi_k.mT, keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), d = inputs.shape, self.feature_dim
        pairs = d * (d + 1) // 2
        projected = Product(N, D, d, 2 * B * H if hasattr(self, "project_q") else 0)
        sums = Product(N, d, 1, B * H), Product(N, pairs, 1, B * H)
        return FactoredOperator.cost(inputs, R=1 + d + pairs).made_by(projected, *sums)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        if hasattr(self, "project_q"):
            q = torch.einsum("bhnd,hed->bhne", q, self.project_q.to(q.dtype))
            k = torch.einsum("bhnd,hed->bhne", k, self.project_k.to(k.dtype))
        t = torch.einsum("bhid,bhjd->bhij", q, k) / self.feature_dim**0.5
        weights = 1 + t + t**2 / 2
        return normalised_rows(weights, keep)
