"""Specs to modules."""

from torch import Tensor, nn

from attention_zoo.attention import Attention
from attention_zoo.errors import UsageError
from attention_zoo.operators import AttentionOperator, FilteredOperator
from attention_zoo.options import spell
from attention_zoo.registry import ATTENTIONS, FILTERS, Layers
from attention_zoo.spec import Spec, parse_spec


class FilteredAttention(nn.Module):
    """An attention whose operators come with filters on them, left to right."""

    def __init__(self, attention: Attention, filters: list[nn.Module]) -> None:
        super().__init__()
        self.attention = attention
        self.filters = nn.ModuleList(filters)

    @property
    def needs_input(self) -> bool:
        return self.attention.needs_input

    def forward(
        self,
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        keep: Tensor | None = None,  # (B, N)
        x: Tensor | None = None,  # (B, N, C)
    ) -> AttentionOperator:
        operator = self.attention(q, k, keep, x)
        for graph_filter in self.filters:
            operator = FilteredOperator(operator, graph_filter)
        return operator


def build_attention(
    spec: str | Spec, *, heads: int, head_dim: int, max_len: int, layer: int = 1
) -> nn.Module:
    """The module `(q, k, keep=None, x=None) -> AttentionOperator` that a spec names.

    layer: which layer it is for, from 1; a filter stands only in the layers its `layers` names.
    Raises UsageError for a spec that is none.
    """
    spec = parse_spec(spec)
    attention = ATTENTIONS.get(spec.attention.name).cls(
        heads=heads, head_dim=head_dim, max_len=max_len, **dict(spec.attention.options)
    )
    filters = []
    for part in spec.filters:
        options = dict(part.options)
        if in_layers(layer, options.pop("layers", "all")):
            filters.append(FILTERS.get(part.name).cls(heads, **options))
    return FilteredAttention(attention, filters) if filters else attention


def in_layers(layer: int, layers: Layers) -> bool:
    """Whether `layers` (all, even, odd, or the layers' numbers from 1) names this layer."""
    if isinstance(layers, frozenset):
        if min(layers) < 1:
            raise UsageError(f"layers count from 1: layers={spell(layers)}")
        return layer in layers
    return layers == "all" or (layer % 2 == 0) == (layers == "even")
