"""Filters on a model's own attention."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from attention_zoo import UnsupportedError
from attention_zoo.build import require_causal
from attention_zoo.filter import Filter
from attention_zoo.operators import AttentionOperator, FilteredOperator
from gfsa.adapters.huggingface.adapter import Adapter, Attend
from gfsa.adapters.huggingface.modules import Found
from gfsa.adapters.huggingface.operator import ModelOperator, real_tokens


class FilterAdapter(Adapter):
    """f(Ā) v, Ā as the model's kernel computes it."""

    def __init__(self, found: Found, filters: list[Filter], depth: int, kernel: str) -> None:
        super().__init__(found, depth)
        if getattr(found.module, "reorder_and_upcast_attn", False) and kernel == "eager":
            raise UnsupportedError(f"{found}: reorder_and_upcast_attn is not supported")
        if found.dropout and kernel != "eager":
            raise UnsupportedError(dropout_error(self.name))
        if found.causal:
            require_causal(filters)
        self.filters = cast("Sequence[Filter]", nn.ModuleList(filters))

    def forward(
        self,
        attend: Attend,
        kernel: str,
        query: Tensor,  # (B, H, n, D)
        key: Tensor,  # (B, H, N, D)
        value: Tensor,  # (B, H, N, D)
        mask: Tensor | None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:
        _, cache = self.take(query, key)
        n, weights = query.shape[2], None
        if cache is not None:
            cache.begin(n)
        if kernel == "eager":
            # Of no values: the weights alone are wanted, after whatever dropout the model has.
            _, weights = attend(query, key, value[..., :0], mask, **options)
            product = partial(torch.matmul, cast(Tensor, weights))
        elif options.get("dropout"):
            raise UnsupportedError(dropout_error(self.name))
        else:
            product = partial(_fused, attend, query, key, mask, options)
        keep = real_tokens(mask, query)
        inner = ModelOperator(value, n, keep, product, self.causal, cache)
        operator: AttentionOperator = inner
        for one in self.filters:
            operator = FilteredOperator(operator, one)
            operator.keep = None  # the operator below masks
        return (operator @ inner.like).transpose(1, 2), weights


def _fused(
    attend: Attend,
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    options: dict[str, Any],
    v: Tensor,
) -> Tensor:
    return attend(query, key, v, mask, **options)[0].transpose(1, 2)


def dropout_error(name: str) -> str:
    return (
        f"{name}: a fused kernel draws another attention dropout at each application of Ā, and a "
        "filter needs one Ā: load the model with attention dropout 0, or with "
        "attn_implementation='eager'"
    )
