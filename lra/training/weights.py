"""The weights of filters, as a record holds them."""

import math

import torch
from torch import Tensor, nn

from attention_zoo.build import FilteredAttention

Number = float | None  # None stands for inf and nan, for which JSON has no numbers
Weights = Number | list[Number] | list[list[Number]]
Filters = list[list[dict[str, Weights]]]  # [layer][filter][name]


def filter_weights(blocks: nn.ModuleList) -> Filters:
    """Every parameter of every filter by its name, layer by layer; of those of more than two
    dimensions all but the first are one, and complex ones have a last one of two."""

    def of(block: nn.Module) -> list[dict[str, Weights]]:
        return [
            {name: _numbers(weight) for name, weight in graph_filter.named_parameters()}
            for module in block.modules()
            if isinstance(module, FilteredAttention)
            for graph_filter in module.filters
        ]

    return [of(block) for block in blocks]


def _numbers(weight: Tensor) -> Weights:
    weight = weight.detach()
    if weight.is_complex():
        weight = torch.view_as_real(weight.resolve_conj())
    return _finite((weight.flatten(1) if weight.dim() > 2 else weight).double().tolist())


def _finite(values: float | list) -> Weights:
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return values if math.isfinite(values) else None
