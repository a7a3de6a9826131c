"""A mixer in the place of a self-attention layer."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from attention_zoo.build import build_remedies, drawn_apart, takes
from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.inputs import require_dtype, require_floats
from attention_zoo.mixer import Mixer
from attention_zoo.packing import Packing
from attention_zoo.remedy import OnOutput
from attention_zoo.spec import Spec, attention_of, parse_spec


class MixerLayer(nn.Module):
    """`(x, keep) -> x` as `SelfAttention` is one, for a model that has either. A remedy of the spec
    on the output acts on the result."""

    on_values = on_projections = None

    def __init__(
        self,
        spec: str | Spec,
        *,
        dim: int,
        heads: int,
        max_len: int,
        layer: int = 1,
        bias: bool = True,
        inner: int | None = None,
        attention_dropout: float = 0.0,
        causal: bool = False,
    ) -> None:
        super().__init__()
        spec, inner = parse_spec(spec), inner or dim
        if attention_dropout:
            raise UnsupportedError(f"{spec} has no attention to drop entries out of")
        if causal and attention_of(spec).support.causal != "always":
            raise UnsupportedError(f"{spec} has no causal form")
        self.dim, self.heads, self.head_dim = dim, heads, inner // heads
        # The draws of an attention's projections, so that all other weights are those of its model.
        nn.Linear(dim, 3 * inner, bias=bias), nn.Linear(inner, dim, bias=bias)
        cls: type[Any] = attention_of(spec)
        given = {"heads": heads} if takes(cls, "heads") else {}
        with drawn_apart(layer):
            try:
                self.attention: Mixer = cls(
                    dim=dim, max_len=max_len, **given, **dict(spec.attention.options)
                )
            except (
                OverflowError,
                TypeError,
            ) as error:  # what torch raises for sizes beyond 64 bits
                if "verflow" not in str(error):
                    raise
                raise UsageError(f"{spec}: its sizes are larger than a tensor can be") from error
        remedies = build_remedies(spec, dim=dim, heads=heads, layer=layer)
        self.on_output = cast("OnOutput | None", remedies.get("output"))
        self._term: Tensor | None = None

    def forward(
        self,
        x: Tensor,  # (B, N, C), or (T, C) of a packed batch
        keep: Tensor | Packing | None = None,  # (B, N), True for a real token
        shared: dict[str, Tensor] | None = None,
        cache: object = None,
    ) -> Tensor:  # as x
        if cache is not None:
            name = type(self.attention).__name__
            raise UnsupportedError(f"{name} does not support decoding with a cache")
        require_floats("T, C" if isinstance(keep, Packing) else "B, N, C", x=x)
        weight = next(self.parameters(), None)
        if weight is not None:
            require_dtype(weight.dtype, "the layer", x=x)
        self._term = None
        if not isinstance(keep, Packing):
            return self._mixed(x, keep)
        if len(x) != len(keep.place):
            raise UsageError(f"x has {len(x)} tokens, its packing {len(keep.place)}")
        if not keep.groups:
            return self._mixed(x[None], None)[0]
        results, terms = [], []
        for group, part in keep.parts(x):
            results.append(group.unpad(self._mixed(group.pad(part), group.keep)))
            if (term := self.attention.auxiliary_loss()) is not None:
                terms.append(term * (group.size / len(keep.examples)))
        self._term = torch.stack(terms).sum() if terms else None
        return torch.cat(results)

    def _mixed(self, x: Tensor, keep: Tensor | None) -> Tensor:
        y = self.attention(x, keep)
        return y if self.on_output is None else self.on_output(y, keep)

    def after_ffn(self, y: Tensor) -> Tensor:  # (…, C) -> (…, C)
        return y if self.on_output is None else self.on_output.after_ffn(y)

    def auxiliary_loss(self) -> Tensor | None:
        term, self._term = self._term, None
        return self.attention.auxiliary_loss() if term is None else term

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_term": None}

    def cost(self, inputs: Inputs) -> Cost | None:
        cost = self.attention.cost(inputs)
        if cost is None or self.on_output is None:
            return cost
        products = self.on_output.products(inputs.B, inputs.N, self.dim)
        return None if products is None else cost.made_by(*products)
