"""Attentive graph filter: efficient attention with a learned gate of each token on its features."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.derivatives import Rules, autograd_function, save, tangent
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product, linear_product
from attention_zoo.operators import FactoredOperator, zero_pads
from attention_zoo.parts.tokens import softmax_over_tokens
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


@dataclass(frozen=True)
class Recurrence:
    """(A, B, C) of Tₖ = (A s + B) Tₖ₋₁ − C Tₖ₋₂ for k = 1 … K, with T₀ = 1."""

    steps: tuple[tuple[float, float, float], ...]


@register_attention("agf")
class AGF(Attention):
    """Ā = (U ⊙ Σ) Vᵀ with U = softmax(q over its features), V = softmax(k over the tokens) and

        Σ = Σₖ θₖ Tₖ(sigmoid(x W_Σ)),  k = 0 … K,  Tₖ the Jacobi polynomials of (alpha, beta)

    all (N, D) per head; R = D. θ₀ = 1; the other θₖ = tanh of a parameter, shared by the heads,
    start at 0, where Ā is that of efficient attention. The rows of Ā sum to those of U ⊙ Σ, not
    to 1. U and V are not made orthogonal but drawn to it: the loss gets gamma times the mean over
    entries, heads and examples of |UᵀU − I| + |VᵀV − I|.

    K=5, alpha=2, beta=-1, gamma=0.01 are the authors' for ListOps; the others, in the same order:
    Image 6, 1.5, 2, 0.1; Pathfinder 4, 1.5, -1, 1e-4; Retrieval 5, 2, -1.5, 1e-4; Text 5, 2, -2,
    0.01. As in their code, Tₖ is the three-term recurrence, taken at values in (0, 1) and for a
    beta ≤ -1 too, for which Jacobi polynomials are not orthogonal. Unlike there, padded tokens
    have no part in UᵀU.
    Wi et al. 2025 (arXiv 2505.08516).
    """

    support = Support(
        paper="Wi et al. 2025",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="low rank",
    )
    needs_input = True
    check_also = ("K=2,alpha=0.5,beta=0.5", "K=6,alpha=1.5,beta=2.0,gamma=0.0")

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        dim: int,
        K: int = 5,
        alpha: float = 2.0,
        beta: float = -1.0,
        gamma: float = 1e-2,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if not 1 <= K <= 1_000 or gamma < 0:
            raise UsageError(f"agf needs 1 ≤ K ≤ 1,000 and gamma ≥ 0, not {K} and {gamma}")
        self.gamma, self.recurrence = gamma, recurrence(K, alpha, beta)
        self.W_Sigma = nn.Linear(dim, heads * head_dim)
        self.theta = nn.Parameter(torch.zeros(K))
        self.jacobi = alpha, beta
        self._term: Tensor | None = None

    def operator(  # type: ignore[override]  # x: needs_input
        self, q: Tensor, k: Tensor, keep: Tensor | None, x: Tensor
    ) -> FactoredOperator:
        dtype = q.dtype
        with full_precision(q, k, self.W_Sigma(x), self.theta) as (q, k, sigma, theta):
            U, V = q.softmax(-1), softmax_over_tokens(k, keep)
            sigma = sigma.sigmoid().unflatten(-1, (self.heads, -1)).transpose(1, 2)
            left = U * _Polynomial(sigma, theta.tanh(), self.recurrence)
            self._term = None
            if self.training and self.gamma:
                gap_U, gap_V = (far_from_orthogonal(zero_pads(factor, keep)) for factor in (U, V))
                self._term = self.gamma * (gap_U + gap_V)
        return FactoredOperator(left.to(dtype), V.mT.to(dtype), keep)

    def auxiliary_loss(self) -> Tensor | None:
        """Handed out once, so that no graph lives on after its step."""
        term, self._term = self._term, None
        return term

    def __getstate__(self) -> dict[str, Any]:
        """Of copies: without the term, whose graph belongs to the step that made it."""
        return self.__dict__ | {"_term": None}

    def cost(self, inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        sigma = linear_product(self.W_Sigma, B * N, inputs.input_grad)
        gaps = Product(D, N, D, 2 * B * H if self.training and self.gamma else 0)
        return FactoredOperator.cost(inputs, R=D).made_by(sigma, gaps)

    def reference(  # type: ignore[override]  # x: needs_input
        self, q: Tensor, k: Tensor, keep: Tensor | None, x: Tensor
    ) -> Tensor:
        per_query, per_key = q.exp(), k.exp()
        if keep is not None:
            per_key = per_key * keep[:, None, :, None]
        U = per_query / per_query.sum(3, keepdim=True)
        V = per_key / per_key.sum(2, keepdim=True).clamp(min=1e-300)
        weight = self.W_Sigma.weight.view(self.heads, self.head_dim, -1)
        bias = self.W_Sigma.bias.view(self.heads, 1, self.head_dim)
        s = 1 / (1 + torch.exp(-torch.einsum("bnc,hdc->bhnd", x, weight) - bias))
        sigma = 1 + sum(
            self.theta[i - 1].tanh() * jacobi_polynomial(i, *self.jacobi, s)
            for i in range(1, len(self.theta) + 1)
        )
        return torch.einsum("bhir,bhjr->bhij", U * sigma, V)


def recurrence(K: int, alpha: float, beta: float) -> Recurrence:
    """That of the Jacobi polynomials of (alpha, beta)."""
    steps, total = [((alpha + beta + 2) / 2, (alpha - beta) / 2, 0.0)], alpha + beta
    for k in range(2, K + 1):
        c = 2 * k + total
        divisor = 2 * k * (k + total) * (c - 2)
        if not divisor:
            raise UsageError(f"agf: no Jacobi polynomial of order {k} for alpha + beta = {total}")
        steps.append(
            (
                c * (c - 1) * (c - 2) / divisor,
                (c - 1) * (alpha**2 - beta**2) / divisor,
                2 * (k + alpha - 1) * (k + beta - 1) * c / divisor,
            )
        )
    return Recurrence(tuple(steps))


def jacobi_polynomial(k: int, alpha: float, beta: float, s: Tensor) -> Tensor:
    """Tₖ as an explicit sum."""

    def binomial(z: float, j: int) -> float:
        return math.prod((z - i) / (i + 1) for i in range(j))

    total = torch.zeros_like(s)
    for j in range(k + 1):
        factor = binomial(k + alpha, j) * binomial(k + beta, k - j)
        total = total + factor * ((s - 1) / 2) ** (k - j) * ((s + 1) / 2) ** j
    return total


def far_from_orthogonal(x: Tensor) -> Tensor:  # (B, H, N, D)
    """Mean of |xᵀx − I|."""
    return (x.mT @ x - torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)).abs().mean()


def _orders(s: Tensor, recurrence: Recurrence) -> Iterator[Tensor]:
    """T₁(s), T₂(s), …"""
    before: Tensor | float = 0.0
    T: Tensor | float = 1.0
    for A, B, C in recurrence.steps:
        before, T = T, (A * s + B) * T - C * before
        yield T


def _slopes(s: Tensor, recurrence: Recurrence) -> Iterator[tuple[Tensor, Tensor]]:
    """T₁(s) and T′₁(s), T₂(s) and T′₂(s), …"""
    below: Tensor | float = 1.0
    before: Tensor | float = 0.0
    slope: Tensor | float = 0.0
    for (A, B, C), T in zip(recurrence.steps, _orders(s, recurrence), strict=True):
        before, slope = slope, A * below + (A * s + B) * slope - C * before
        below = T
        yield T, slope


@autograd_function
class _Polynomial(Rules):
    """1 + Σ θₖ Tₖ(s), keeping s alone where autograd would keep two N×D tensors an order."""

    @staticmethod
    def forward(s: Tensor, theta: Tensor, recurrence: Recurrence) -> Tensor:
        total = torch.ones_like(s)
        for weight, T in zip(theta, _orders(s, recurrence), strict=True):
            total = torch.addcmul(total, weight, T)
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        s, theta, ctx.recurrence = inputs
        save(ctx, s, theta)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        s, theta = ctx.saved_tensors
        through_s, through_theta = torch.zeros_like(s), []
        for weight, (T, slope) in zip(theta, _slopes(s, ctx.recurrence), strict=True):
            through_s = torch.addcmul(through_s, weight, slope)
            through_theta.append((grad * T).sum())
        return grad * through_s, torch.stack(through_theta), None

    @staticmethod
    def jvp(ctx: Any, ds: Tensor | None, dtheta: Tensor | None, _: None) -> Tensor:
        s, theta = ctx.saved_tensors
        ds, dtheta, total = tangent(ds, s), tangent(dtheta, theta), torch.zeros_like(s)
        for weight, change, (T, slope) in zip(
            theta, dtheta, _slopes(s, ctx.recurrence), strict=True
        ):
            total = total + weight * slope * ds + change * T
        return total
