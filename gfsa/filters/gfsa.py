"""GFSA: attention replaced by a polynomial of itself."""

from typing import Final, Literal

import torch
from torch import Tensor, nn

from attention_zoo import AttentionOperator, Cost, Products, UsageError, register_filter
from gfsa.filters.weighted import Share, WeightedFilter, identity_like

Weight = Literal["w0", "w1", "wK"]
LEARN_ALL: Final[frozenset[Weight]] = frozenset(("w0", "w1", "wK"))


@register_filter("gfsa")
class GraphFilter(WeightedFilter):
    """H v for one of two polynomials of Ā, with w₀, w₁, w_K per head:

    taylor (the paper's): H = w₀ I + w₁ Ā + w_K (Ā + (K−1)(Ā² − Ā))
    power (exact):        H = w₀ I + w₁ Ā + w_K Ā^K

    The bracket of `taylor` is the first-order expansion of Ā^K with Ā² − Ā for the derivative;
    the two agree at K = 2 and are different filters from K = 3 on. H is given to the operator as
    coefficients, so it costs what the operator's own polynomial costs.
    Choi, Wi et al. 2024 (arXiv 2312.04234), the GFSA filter and its Taylor approximation of Ā^K.

    Args:
        heads: H of the attention that it stands on.
        K: the order of the high-order term, 1 to 1,000.
        mode: which of the two polynomials.
        w0, w1, wK: where the weights start; (0, 1, 0) by default: H = Ā.
        learn: which of them are learned, or `none`; `wK` alone is what the authors released.
        share: `heads` for one set of weights a layer, `none` for one a head.

    >>> from attention_zoo import DenseOperator
    >>> matrix, v = torch.full((1, 2, 4, 4), 0.25), torch.randn(1, 2, 4, 8)  # one mean: Ā² = Ā
    >>> filtered = GraphFilter(heads=2, K=3, wK=0.5)(DenseOperator(matrix), v)
    >>> torch.allclose(filtered, 1.5 * matrix @ v)
    True
    """

    w0: nn.Parameter  # each (H,), or (1,) where heads share it
    w1: nn.Parameter
    wK: nn.Parameter

    def __init__(
        self,
        heads: int,
        K: int = 3,
        mode: Literal["taylor", "power"] = "taylor",
        w0: float = 0.0,
        w1: float = 1.0,
        wK: float = 0.0,
        learn: frozenset[Weight] | Literal["none"] = LEARN_ALL,
        share: Share = "none",
    ) -> None:
        super().__init__(heads, {"w0": w0, "w1": w1, "wK": wK}, learn, share)
        if not 1 <= K <= 1_000:
            raise UsageError(f"a graph filter needs 1 ≤ K ≤ 1,000, not {K}")
        self.K, self.mode = K, mode

    def coefficients(self) -> list[Tensor | float]:
        """c₀, c₁, … of H = Σ cₖ Āᵏ, each (H,)."""
        w0, w1, wK = map(self.weight, ("w0", "w1", "wK"))
        K = self.K
        if K == 1:
            return [w0, w1 + wK]
        if self.mode == "taylor":
            return [w0, w1 + (2 - K) * wK, (K - 1) * wK]
        return [w0, w1, *[0.0] * (K - 2), wK]

    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        w0, w1, wK = self.columns("w0", "w1", "wK")
        power = torch.linalg.matrix_power(matrix, self.K)
        if self.mode == "taylor":
            power = matrix + (self.K - 1) * (matrix @ matrix - matrix)
        return w0 * identity_like(matrix) + w1 * matrix + wK * power

    def response(self, eigenvalues: Tensor) -> Tensor:
        w0, w1, wK = (self.weight(name)[:, None] for name in ("w0", "w1", "wK"))
        power = eigenvalues**self.K
        if self.mode == "taylor":
            power = eigenvalues + (self.K - 1) * (eigenvalues**2 - eigenvalues)
        return w0 + w1 * eigenvalues + wK * power

    def products(self, cost: Cost) -> Products:
        return cost.polynomial(len(self.coefficients()) - 1)

    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        return operator.polynomial(self.coefficients(), v)
