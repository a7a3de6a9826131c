"""Orthogonal polynomials by their three-term recurrences."""

from attention_zoo import UsageError
from attention_zoo.operators import Recurrence


def chebyshev(order: int) -> Recurrence:
    """T₀ = 1, T₁ = x, Tₖ₊₁ = 2x Tₖ − Tₖ₋₁ (DLMF 18.9.1 with table 18.9.1), of the first kind."""
    return Recurrence(tuple((1.0 if k == 0 else 2.0, 0.0, 1.0) for k in range(order)))


def jacobi(order: int, a: float, b: float) -> Recurrence:
    """P₀ = 1, P₁ = (a + b + 2) x/2 + (a − b)/2 and, with s = 2k + a + b,

        Pₖ₊₁ = (s + 1) ((s + 2) s x + a² − b²) / (2 (k + 1)(k + a + b + 1) s) · Pₖ
             − (k + a)(k + b)(s + 2) / ((k + 1)(k + a + b + 1) s) · Pₖ₋₁

    (DLMF 18.9.2). Raises UsageError unless a, b > −1, where they are orthogonal on [−1, 1].
    """
    if min(a, b) <= -1:
        raise UsageError(f"a Jacobi basis needs a > -1 and b > -1, not a={a}, b={b}")
    steps = [((a + b + 2) / 2, (a - b) / 2, 0.0)]
    for k in range(1, order):
        s = 2 * k + a + b
        scale = (s + 1) / (2 * (k + 1) * (k + a + b + 1) * s)
        steps.append(
            (
                scale * (s + 2) * s,
                scale * (a * a - b * b),
                (k + a) * (k + b) * (s + 2) / ((k + 1) * (k + a + b + 1) * s),
            )
        )
    return Recurrence(tuple(steps[:order]))
