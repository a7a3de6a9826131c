"""The row-stochastic scaling of a factored attention with non-negative features."""

from typing import Any

import torch
from torch import Tensor

from attention_zoo.derivatives import Rules, autograd_function, save, tangent
from attention_zoo.precision import lowest


def row_stochastic_factors(
    q: Tensor,  # (B, H, N, R) features of the queries, ≥ 0
    k: Tensor,  # (B, H, N, R) features of the keys, ≥ 0, zero at padded positions
) -> tuple[Tensor, Tensor]:
    """left (B, H, N, R) and right (B, H, R, N) of Ā = D⁻¹ φ(q) φ(k)ᵀ, D = diag(φ(q) φ(k)ᵀ 1).

    With s = φ(k)ᵀ1: left = D⁻¹ φ(q) diag(s), right = diag(1/s) φ(k)ᵀ. The rows of both sum to 1,
    so M = right·left is row-stochastic and its powers stay bounded in any precision. Where
    nothing can be divided (no real token; features that are all zero) 0/0 is 0.
    """
    left, right, *_ = _RowStochastic(q, k)
    return left, right.mT


def log_row_stochastic_factors(
    q: Tensor,  # (B, H, N, R) log φ of the queries, up to a number of each row
    k: Tensor,  # (B, H, N, R) log φ of the keys
    keep: Tensor | None,  # (B, N)
) -> tuple[Tensor, Tensor]:
    """`row_stochastic_factors` of features given by their logarithms, which neither over- nor
    underflow: log s is the logsumexp of the real keys over the tokens, left the softmax of
    log φ(q) + log s over the features, right = exp(log φ(k) − log s)ᵀ."""
    left, right = _LogRowStochastic(q, k, keep)
    return left, right.mT


@autograd_function
class _RowStochastic(Rules):
    """One function, because autograd would keep five N×R tensors where two are enough. The sums are
    outputs so that their part in second derivatives is not lost."""

    @staticmethod
    def forward(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        s = k.sum(-2, keepdim=True)  # (B, H, 1, R)
        left = q * s
        r = left.sum(-1, keepdim=True)  # (B, H, N, 1)
        return left.mul_(_reciprocal(r)), k * _reciprocal(s), s, r

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        save(ctx, *output)

    @staticmethod
    def backward(
        ctx: Any, grad_left: Tensor, grad_right: Tensor, grad_s: Tensor, grad_r: Tensor
    ) -> tuple[Tensor, Tensor]:
        left, right, s, r = ctx.saved_tensors
        weighted = left * grad_left
        row, through_s = grad_r * r - weighted.sum(-1, keepdim=True), weighted.sum(-2, keepdim=True)
        del weighted  # a step's peak is here
        through_s = through_s + (left * row).sum(-2, keepdim=True)  # s · ∂/∂s
        through_s = through_s - (grad_right * right).sum(-2, keepdim=True) + grad_s * s
        grad_q = (grad_left + row).mul_(s).mul_(_reciprocal(r))
        return grad_q, (grad_right + through_s).mul_(_reciprocal(s))

    @staticmethod
    def jvp(ctx: Any, dq: Tensor | None, dk: Tensor | None) -> tuple[Tensor, ...]:
        left, right, s, r = ctx.saved_tensors
        dq, dk = tangent(dq, left), tangent(dk, right)
        per_feature = _reciprocal(s)
        ds = dk.sum(-2, keepdim=True)
        scaled = (dq * s) * _reciprocal(r) + left * (ds * per_feature)
        row = scaled.sum(-1, keepdim=True)
        return scaled - left * row, (dk - right * ds) * per_feature, ds, row * r


@autograd_function
class _LogRowStochastic(Rules):
    """Keeps left and right alone; autograd would keep the keys' logarithms, too."""

    @staticmethod
    def forward(q: Tensor, k: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        k = k.clone() if keep is None else k.masked_fill(~keep[:, None, :, None], lowest(k))
        log_s = k.logsumexp(-2, keepdim=True)  # (B, H, 1, R)
        return (q + log_s).softmax(-1), k.sub_(log_s).exp_()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        save(ctx, *output)

    @staticmethod
    def backward(ctx: Any, grad_left: Tensor, grad_right: Tensor) -> tuple[Tensor, Tensor, None]:
        left, right = ctx.saved_tensors
        weighted = grad_left * left
        grad_q = weighted.sub_(left * weighted.sum(-1, keepdim=True))
        through_s = grad_q.sum(-2, keepdim=True) - (grad_right * right).sum(-2, keepdim=True)
        return grad_q, (grad_right + through_s).mul_(right), None

    @staticmethod
    def jvp(ctx: Any, dq: Tensor | None, dk: Tensor | None, _: None) -> tuple[Tensor, Tensor]:
        left, right = ctx.saved_tensors
        dq, dk = tangent(dq, left), tangent(dk, right)
        ds = (right * dk).sum(-2, keepdim=True)  # of log s
        dq = dq + ds
        return left * (dq - (left * dq).sum(-1, keepdim=True)), right * (dk - ds)


def _reciprocal(x: Tensor) -> Tensor:
    """1/x, and 0 with derivative 0 where x is 0."""
    there = x > torch.finfo(x.dtype).tiny
    return torch.where(there, torch.where(there, x, 1.0).reciprocal(), 0.0)
