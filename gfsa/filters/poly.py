"""A polynomial of attention with a free coefficient for every order."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from attention_zoo import AttentionOperator, Cost, Products, UsageError, register_filter
from attention_zoo.operators import Recurrence
from attention_zoo.operators.coefficients import horner
from gfsa.filters.bases import chebyshev, jacobi
from gfsa.filters.weighted import Share, WeightedFilter, identity_like

MOST = 10  # of a and b: up to K = 100, Jacobi's polynomials then stay finite in float32


@register_filter("poly")
class PolynomialFilter(WeightedFilter):
    """H = Σₖ θₖ Pₖ(Ā), k = 0 … K, with θ₀, …, θ_K per head and one of three bases:

    monomial: Pₖ(x) = xᵏ; chebyshev: Tₖ(x); jacobi: Pₖ^(a,b)(x)

    Where GFSA fixes a line in the space of polynomials by K, here every order is free (as in
    ChebNet, Defferrard et al. 2016, arXiv 1606.09375, eq. 4, and JacobiConv, Wang & Zhang 2022,
    arXiv 2205.11172, on graphs). It starts as H = Ā, whatever the basis.

    Args:
        heads: H of the attention that it stands on.
        K: the order, 1 to 100.
        basis: which polynomials; a, b: of jacobi's weight (1−x)ᵃ(1+x)ᵇ, each above −1.
        start: θ₀/θ₁/…/θ_K, or `base` for H = Ā.
        learn: the orders whose θₖ are learned, `all` or `none`.
        share: `heads` for one set of weights a layer, `none` for one a head.
    """

    def __init__(
        self,
        heads: int,
        K: int = 3,
        basis: Literal["monomial", "chebyshev", "jacobi"] = "monomial",
        a: float = 0.0,
        b: float = 0.0,
        start: Literal["base"] | tuple[float, ...] = "base",
        learn: Literal["all", "none"] | frozenset[int] = "all",
        share: Share = "none",
    ) -> None:
        if not 1 <= K <= 100:
            raise UsageError(f"poly needs 1 ≤ K ≤ 100, not {K}")
        if basis != "jacobi" and (a or b):
            raise UsageError(f"poly: a and b are of basis=jacobi, not of {basis}")
        recurrence = _recurrence(basis, K, a, b)
        if max(a, b) > MOST:
            raise UsageError(f"poly needs a and b of at most {MOST}, not {max(a, b):g}")
        if start == "base":
            slope, constant, _ = recurrence.steps[0] if recurrence else (1.0, 0.0, 0.0)
            start = (-constant / slope if constant else 0.0, 1 / slope, *[0.0] * (K - 1))
        if len(start) != K + 1:
            raise UsageError(f"poly of K={K} needs {K + 1} numbers in start, not {len(start)}")
        orders = range(K + 1) if learn == "all" else () if learn == "none" else learn
        if wrong := set(orders) - set(range(K + 1)):
            raise UsageError(f"poly of K={K} has no order {min(wrong)} to learn")
        self.names = [f"theta{k}" for k in range(K + 1)]
        starts = dict(zip(self.names, start, strict=True))
        super().__init__(heads, starts, [f"theta{k}" for k in orders], share)
        self.K, self.basis, self.recurrence = K, basis, recurrence
        self.jacobi = a, b

    def coefficients(self) -> list[Tensor]:
        """θ₀, …, θ_K, each (H,)."""
        return [self.weight(name) for name in self.names]

    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        total = torch.zeros_like(matrix)
        for theta, term in zip(self.columns(*self.names), self._terms(matrix), strict=True):
            total = total + theta * term
        return total

    def _terms(self, matrix: Tensor) -> Iterator[Tensor]:
        """P₀(Ā), …, P_K(Ā), dense; Jacobi's by DLMF 18.9.2 in the form

        2n (n+a+b)(s−2) Pₙ = (s−1) (s (s−2) x + a² − b²) Pₙ₋₁ − 2 (n+a−1)(n+b−1) s Pₙ₋₂, s = 2n+a+b
        """
        identity, (a, b) = identity_like(matrix), self.jacobi
        before, latest = identity.expand_as(matrix), matrix
        if self.basis == "jacobi":
            latest = (a + 1) * identity + (a + b + 2) / 2 * (matrix - identity)
        yield before
        for n in range(2, self.K + 2):
            yield latest
            if self.basis == "monomial":
                following = matrix @ latest
            elif self.basis == "chebyshev":
                following = 2 * matrix @ latest - before
            else:
                s = 2 * n + a + b
                factor = s * (s - 2) * matrix + (a * a - b * b) * identity
                following = (s - 1) * factor @ latest - 2 * (n + a - 1) * (n + b - 1) * s * before
                following = following / (2 * n * (n + a + b) * (s - 2))
            before, latest = latest, following

    def response(self, eigenvalues: Tensor) -> Tensor:
        ones, scaled = torch.ones_like(eigenvalues)[..., None], eigenvalues[..., None]
        if self.recurrence is None:
            return horner(self.coefficients(), ones, lambda x: scaled * x)[..., 0]
        return self.recurrence.series(self.coefficients(), ones, lambda x: scaled * x)[..., 0]

    def products(self, cost: Cost) -> Products:
        return cost.polynomial(self.K)

    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        return operator.polynomial(self.coefficients(), v, self.recurrence)


def _recurrence(basis: str, K: int, a: float, b: float) -> Recurrence | None:
    if basis == "monomial":
        return None
    return chebyshev(K) if basis == "chebyshev" else jacobi(K, a, b)
