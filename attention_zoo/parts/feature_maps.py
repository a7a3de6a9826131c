"""Attention by a non-negative feature map: Ā = D⁻¹ φ(q) φ(k)ᵀ, D its row sums, 0/0 = 0."""

from collections.abc import Callable

import torch
from torch import Tensor

from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import (
    AttentionOperator,
    CausalOperator,
    DecodingCache,
    FactoredOperator,
    log_row_stochastic_factors,
    row_stochastic_factors,
    zero_pads,
)
from attention_zoo.precision import full_precision


def feature_map_operator(
    q: Tensor,  # (B, H, N, D)
    k: Tensor,  # (B, H, N, D)
    keep: Tensor | None,  # (B, N)
    phi: Callable[[Tensor], Tensor],  # (B, H, N, D) to (B, H, N, R), ≥ 0, in full precision
    causal: bool = False,
    cache: DecodingCache | None = None,
) -> AttentionOperator:
    like, dtype = q, q.dtype
    with full_precision(q, k) as (q, k):
        # Masked after the map: φ(0) may be positive.
        queries, keys = phi(q), zero_pads(phi(k), keep)
        if causal:
            return CausalOperator(queries, keys, like, keep, cache=cache)
        left, right = row_stochastic_factors(queries, keys)
    return FactoredOperator(left.to(dtype), right.to(dtype), keep)


def log_feature_operator(
    q: Tensor,  # (B, H, N, R): log φ of the queries, up to a number of each row, in full precision
    k: Tensor,  # (B, H, N, R): log φ of the keys, in full precision
    keep: Tensor | None,  # (B, N)
    like: Tensor,  # (B, H, N, D): the dtype of the results
    causal: bool = False,
    cache: DecodingCache | None = None,
) -> AttentionOperator:
    """Of features given by their logarithms, which neither over- nor underflow."""
    if not causal:
        left, right = log_row_stochastic_factors(q, k, keep)
        return FactoredOperator(left.to(like.dtype), right.to(like.dtype), keep)
    queries = (q - q.detach().amax(-1, keepdim=True)).exp()
    scale = k.detach().amax(-1)
    keys = zero_pads((k - scale[..., None]).exp(), keep)
    return CausalOperator(queries, keys, like, keep, scale=scale, cache=cache)


def low_rank_cost(inputs: Inputs, R: int, causal: bool) -> Cost:
    """Of either operator, apart from the features."""
    return CausalOperator.cost(inputs, R) if causal else FactoredOperator.cost(inputs, R)


def normalised_rows(
    weights: Tensor,  # (B, H, N, N), ≥ 0
    keep: Tensor | None,  # (B, N)
    causal: bool = False,
) -> Tensor:
    """D⁻¹ of the dense weights between real keys; for references."""
    if causal:
        weights = weights.tril()
    if keep is not None:
        weights = weights * keep[:, None, None]
    sums = weights.sum(-1, keepdim=True)
    return weights / torch.where(sums > 0, sums, 1.0)
