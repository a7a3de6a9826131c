"""Polynomials in a basis that a three-term recurrence gives, such as Chebyshev's."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from torch import Tensor

from attention_zoo.operators.coefficients import Coefficient, add_scaled, scale


@dataclass(frozen=True)
class Recurrence:
    """P₀ = 1 and Pₖ₊₁(x) = (aₖ x + bₖ) Pₖ(x) − cₖ Pₖ₋₁(x).

    It is followed, never expanded into powers of x, whose coefficients grow until their sum has no
    digit left. steps: (aₖ, bₖ, cₖ), k = 0, 1, …; c₀ does not matter.
    """

    steps: tuple[tuple[float, float, float], ...]

    def series(
        self, coefficients: Sequence[Coefficient], v: Tensor, apply: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Σ θₖ Pₖ(A) v with apply(x) = A x, one application an order."""
        before, latest = v, v
        total = scale(coefficients[0], v)
        for k, coefficient in enumerate(coefficients[1:]):
            a, b, c = self.steps[k]
            following = add_scaled(_times(a, apply(latest)), b, latest)
            before, latest = latest, add_scaled(following, -c if k else 0.0, before)
            total = add_scaled(total, coefficient, latest)
        return total

    def quotient(
        self, coefficients: Sequence[Coefficient], s: Tensor, apply: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Σ θₖ Qₖ(M) s with Qₖ(x) = (Pₖ(x) − Pₖ(0)) / x and apply(x) = M x, for an order of 1 or
        more: Qₖ₊₁ = aₖ (Pₖ(0) + x Qₖ) + bₖ Qₖ − cₖ Qₖ₋₁ takes one application less than Pₖ₊₁."""
        zeros = self._at_zero(len(coefficients))
        before, latest = None, _times(self.steps[0][0], s)
        total = scale(coefficients[1], latest)
        for k, coefficient in enumerate(coefficients[2:], start=1):
            a, b, c = self.steps[k]
            following = _times(a, add_scaled(apply(latest), zeros[k], s))
            following = add_scaled(following, b, latest)
            if before is not None:
                following = add_scaled(following, -c, before)
            before, latest = latest, following
            total = add_scaled(total, coefficient, latest)
        return total

    def constant(self, coefficients: Sequence[Coefficient]) -> Coefficient:
        """Σ θₖ Pₖ(0), of which Σ θₖ Pₖ(A) = Σ θₖ Pₖ(0) I + A Σ θₖ Qₖ(A)."""
        zeros = self._at_zero(len(coefficients))
        terms = [zero * c for zero, c in zip(zeros, coefficients, strict=True) if zero]
        return reduce(operator.add, terms)  # P₀(0) = 1: there is one

    def _at_zero(self, count: int) -> list[float]:
        """P₀(0), P₁(0), …"""
        values = [0.0, 1.0]
        for k in range(count - 1):
            _, b, c = self.steps[k]
            values.append(b * values[-1] - c * values[-2])
        return values[1:]


def _times(a: float, x: Tensor) -> Tensor:
    return x if a == 1 else a * x
