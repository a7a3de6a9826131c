"""One line that puts filters, or attentions of the zoo, into a model of another library.

A library is a module of this package that offers `matches(model) -> bool` and
`apply(model, change) -> None`; it changes the model in place or raises before it has changed it.
"""

import importlib
from dataclasses import dataclass
from typing import TypeVar, cast

from torch import nn

from attention_zoo import Attention, UsageError, build_attention, parse_spec
from attention_zoo.build import FilteredAttention, in_layers, place_of
from attention_zoo.filter import Filter
from attention_zoo.options import read_option
from attention_zoo.registry import FILTERS, Layers
from attention_zoo.spec import Spec

LIBRARIES = ("huggingface", "torch")  # asked in this order; the last takes any model
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Change:
    """What is put into a model.

    spec: an attention and filters. Where `own`, the model keeps its attention, and only the filters
    are meant. max_len: as given, None where the library finds it.
    """

    spec: Spec
    layers: Layers
    own: bool
    max_len: int | None = None

    @property
    def text(self) -> str:
        """The canonical spelling, as the user gives it."""
        return str(self.spec).partition("+")[2] if self.own else str(self.spec)

    def chosen(self, count: int, what: str) -> list[int]:
        """The numbers, from 1, of the layers of `what` that are changed; raises UsageError where
        `layers` names one that is not there, or none."""
        numbers = [n for n in range(1, count + 1) if in_layers(n, self.layers)]
        missing = self.layers - set(numbers) if isinstance(self.layers, frozenset) else ()
        if missing or not numbers:
            wrong = f"layer {max(missing)}" if missing else f"layers={self.layers}"
            raise UsageError(f"{wrong} does not exist: {what} has {count} attention layer(s)")
        return numbers

    def filters(self, heads: int, layer: int) -> list[Filter]:
        """New filters for one layer, with the start that the spec gives them."""
        built = build_attention(self.spec, heads=heads, head_dim=1, max_len=1, layer=layer)
        return list(cast(FilteredAttention, built).filters)

    def attention(
        self, heads: int, head_dim: int, max_len: int, layer: int, **options: float | bool
    ) -> Attention | FilteredAttention:
        """A new attention with its filters for one layer; `options` are `build_attention`'s."""
        sizes = {"heads": heads, "head_dim": head_dim, "max_len": max_len, "layer": layer}
        return build_attention(self.spec, **sizes, **options)  # type: ignore[arg-type]


def apply_gfsa(model: M, filter: str = "gfsa:K=3", layers: str | int = "even") -> M:
    """The same model, with H = f(Ā) in place of its attention Ā in some of its layers; changed in
    place. The model's own kernels compute Ā v. With the filter's default start H = Ā, so the
    outputs do not change until the new weights are trained.

    Choi et al. 2024 (arXiv 2312.04234); the paper also filters the even layers alone ("GFSA_even").

    Args:
        model: of transformers, timm or torch; see docs/models.md.
        filter: a filter of the zoo with its options, `gfsa:K=3`; several are joined by `+`.
        layers: `all`, `even`, `odd`, or numbers from 1, `2/4`.

    Raises:
        UsageError: for an unknown filter, a remedy, a layer that does not exist, or a model that
            has been changed before.
        UnsupportedError: for a model or an attention that cannot be filtered, by its name.
    """
    return _apply(model, f"softmax+{filter}", layers, own=True)


def apply_attention(
    model: M, spec: str, layers: str | int = "all", max_len: int | None = None
) -> M:
    """The same model, with an attention of the zoo (and filters on it) in place of its own in some
    of its layers; changed in place. The projections of q, k and v stay the model's.

    Args:
        model: of transformers, timm or torch; see docs/models.md.
        spec: an attention and filters, `linear+gfsa`.
        layers: `all`, `even`, `odd`, or numbers from 1, `2/4`.
        max_len: the greatest number of tokens; where None, that of the model.

    Raises: as `apply_gfsa`.
    """
    return _apply(model, spec, layers, own=False, max_len=max_len)


def _apply(model: M, text: str, layers: str | int, own: bool, max_len: int | None = None) -> M:
    spec = parse_spec(text)
    for part in spec.filters:
        if place_of(part) != "operator":
            raise UsageError(
                f"{part.name} acts on the {place_of(part)} of a layer, which is the model's own: "
                "give a filter of the operator, such as gfsa, poly, identity or mean"
            )
        if "layers" in dict(part.options):
            raise UsageError(f"{part}: give layers to the function, not to the filter")
    name = "apply_gfsa" if own else "apply_attention"
    chosen = read_option(name, "layers", str(layers), FILTERS.common)
    change = Change(spec, chosen, own, max_len)
    libraries = (importlib.import_module(f"gfsa.adapters.{one}") for one in LIBRARIES)
    next(library for library in libraries if library.matches(model)).apply(model, change)
    return model
