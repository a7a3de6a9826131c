"""Specs to modules."""

import inspect
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention
from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.filter import Filter, Modifier, Place
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import AttentionOperator, DecodingCache, FilteredOperator
from attention_zoo.options import spell
from attention_zoo.packing import Packing
from attention_zoo.registry import FILTERS, Layers, is_mixer
from attention_zoo.spec import Part, Spec, attention_of, parse_spec


class FilteredAttention(nn.Module):
    """An attention whose operators come with filters on them, left to right."""

    def __init__(self, attention: Attention, filters: list[Filter]) -> None:
        super().__init__()
        self.attention = attention
        self.filters = cast("Sequence[Filter]", nn.ModuleList(filters))

    @property
    def heads(self) -> int:
        return self.attention.heads

    @property
    def head_dim(self) -> int:
        return self.attention.head_dim

    @property
    def needs_input(self) -> bool:
        return self.attention.needs_input

    @property
    def projections(self) -> tuple[str, ...]:
        return self.attention.projections

    def finish(self, y: Tensor) -> Tensor:
        return self.attention.finish(y)

    @property
    def shares(self) -> bool:
        return self.attention.shares

    def packs(self, x: Tensor) -> bool:
        return self.attention.packs(x)

    def auxiliary_loss(self) -> Tensor | None:
        return self.attention.auxiliary_loss()

    def cost(self, inputs: Inputs) -> Cost | None:
        """As of an attention: one application is that of all its filters."""
        cost = self.attention.cost(inputs)
        for graph_filter in self.filters:
            products = None if cost is None else graph_filter.products(cost)
            if cost is None or products is None:
                return None
            cost = Cost(cost.making, products)
        return cost

    def forward(
        self,
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        keep: Tensor | Packing | None = None,  # (B, N)
        x: Tensor | None = None,  # (B, N, C)
        cache: DecodingCache | None = None,
    ) -> AttentionOperator:
        operator: AttentionOperator = self.attention(q, k, keep, x, cache)
        for graph_filter in self.filters:
            operator = FilteredOperator(operator, graph_filter)
        return operator


def build_attention(
    spec: str | Spec,
    *,
    heads: int,
    head_dim: int,
    max_len: int,
    layer: int = 1,
    dim: int | None = None,
    dropout: float = 0.0,
    causal: bool = False,
) -> Attention | FilteredAttention:
    """The module `(q, k, keep=None, x=None, cache=None) -> AttentionOperator` that a spec names.

    layer: which layer it is for, from 1; a filter stands only in the layers its `layers` names.
    dim: C of the layer's input, for attentions that take it; heads · head_dim where None.
    dropout: of the entries of Ā in training, one mask for all powers of it; see `Support.dropout`.
    causal: no token sees a later one, neither in Ā nor through a filter; see `Support.causal`. With
    a `DecodingCache` its operator then has the rows of new tokens alone.
    Its own weights are drawn from (torch.initial_seed(), layer), and no draw is taken from the
    global generator: variants of one seed share all other weights.
    Raises UsageError for an invalid spec or a remedy, which acts on a layer; UnsupportedError for
    dropout or a causal form that is not supported.

    >>> attention = build_attention("linear+gfsa:K=4", heads=2, head_dim=8, max_len=64)
    >>> q, k, v = torch.randn(3, 1, 2, 64, 8)  # (B, H, N, D) each
    >>> operator = attention(q, k)
    >>> (operator @ v).shape, operator.dense().shape
    (torch.Size([1, 2, 64, 8]), torch.Size([1, 2, 64, 64]))
    """
    spec = parse_spec(spec)
    cls = attention_of(spec)
    if is_mixer(spec.attention.name):
        raise UsageError(
            f"{spec.attention.name} is a mixer, not an attention: it has no operator on values; "
            "use build_layer, or --level layer"
        )
    for part in spec.filters:
        if (place := place_of(part)) != "operator":
            raise UsageError(
                f"{part.name} acts on the {place} of a layer, and an operator alone has none: use "
                "build_layer, or --level layer"
            )
    wants_dim = "dim" in inspect.signature(cls.__init__).parameters
    given: dict[str, Any] = {"dim": dim or heads * head_dim} if wants_dim else {}
    with drawn_apart(layer):
        attention = cls(
            heads=heads, head_dim=head_dim, max_len=max_len, **given, **dict(spec.attention.options)
        )
        sizes = {"heads": heads, "dim": dim or heads * head_dim}
        modifiers = build_modifiers(spec, sizes, layer)
    filters = cast("list[Filter]", modifiers)
    if causal:
        attention.make_causal()
        require_causal(filters)
    if dropout:
        require_dropout(spec, dropout, filtered=bool(filters))
        attention.attention_dropout = dropout
    return FilteredAttention(attention, filters) if filters else attention


def place_of(part: Part) -> Place:
    """Where in a layer a filter or remedy acts."""
    return FILTERS.get(part.name).cls.acts_on


def without_remedies(spec: str | Spec) -> Spec:
    """An attention and its filters alone: what stands at Ā of a layer."""
    spec = parse_spec(spec)
    return replace(spec, filters=tuple(p for p in spec.filters if place_of(p) == "operator"))


def build_modifiers(spec: Spec, sizes: Mapping[str, int], layer: int) -> list[Modifier]:
    """Those of a spec that stand in a layer, each given the sizes that its `__init__` names."""
    built = []
    for part in spec.filters:
        cls, options = FILTERS.get(part.name).cls, dict(part.options)
        if in_layers(layer, options.pop("layers", "all")):
            built.append(cls(**{n: s for n, s in sizes.items() if takes(cls, n)}, **options))
    return built


def takes(cls: type[nn.Module], name: str) -> bool:
    """Whether its `__init__` has a parameter of that name, or hands it on to one that has."""
    for one in cls.__mro__[: cls.__mro__.index(nn.Module)]:
        if own := vars(one).get("__init__"):
            known = inspect.signature(own).parameters
            if name in known or not any(p.kind is p.VAR_KEYWORD for p in known.values()):
                return name in known
    return False


def build_remedies(spec: Spec, *, dim: int, heads: int, layer: int) -> dict[str, Modifier]:
    """Those of a spec that stand in a layer, by the place that they act on; weights drawn as those
    of the attention are."""
    parts = tuple(part for part in spec.filters if place_of(part) != "operator")
    with drawn_apart(layer, "remedies"):
        built = build_modifiers(replace(spec, filters=parts), {"dim": dim, "heads": heads}, layer)
    return {one.acts_on: one for one in built}


def require_causal(modifiers: Iterable[Modifier]) -> None:
    """From now on they look at no later token. Raises UnsupportedError for one that cannot."""
    for one in modifiers:
        if not one.causal:
            raise UnsupportedError(f"{type(one).__name__} has no causal form: it mixes all tokens")
        one.prefix = True


def require_dropout(spec: Spec, dropout: float, *, filtered: bool) -> None:
    """Raises UnsupportedError where the attention cannot drop out entries of Ā, or not the same
    ones in all of a filter's applications."""
    if not 0 <= dropout < 1:
        raise UsageError(f"attention dropout must be in [0, 1), not {dropout}")
    name, takes = spec.attention.name, attention_of(spec).support.dropout
    if takes == "none":
        raise UnsupportedError(f"{name} does not support attention dropout")
    if takes == "redrawn" and filtered:
        raise UnsupportedError(
            f"{spec} does not support attention dropout: the kernel of {name} draws another mask "
            "whenever Ā is applied, and a filter needs one Ā; `softmax` with the filter keeps one"
        )


@contextmanager
def drawn_apart(layer: int, purpose: str = "") -> Iterator[None]:
    """Another stream for each purpose, or their draws would be the same numbers."""
    own = torch.initial_seed() * 1_000_003 + layer + 7_919 * zlib.crc32(purpose.encode())
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(own % 2**63)
        yield


def in_layers(layer: int, layers: Layers) -> bool:
    """Whether `layers` (all, even, odd, or the layers' numbers from 1) names this layer."""
    if isinstance(layers, frozenset):
        if min(layers) < 1:
            raise UsageError(f"layers count from 1: layers={spell(layers)}")
        return layer in layers
    return layers == "all" or (layer % 2 == 0) == (layers == "even")
