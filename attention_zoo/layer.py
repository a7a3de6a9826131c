"""The self-attention layer: everything around the operator, the same for every attention."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from attention_zoo.attention import Attention
from attention_zoo.build import (
    build_attention,
    build_remedies,
    require_causal,
    without_remedies,
)
from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.flops import Cost, Inputs, Product, linear_product
from attention_zoo.inputs import require_dtype, require_floats, require_mask
from attention_zoo.mixer_layer import MixerLayer
from attention_zoo.operators import DecodingCache
from attention_zoo.packing import Packing
from attention_zoo.registry import is_mixer
from attention_zoo.remedy import OnOutput, OnProjections, OnValues
from attention_zoo.spec import Spec, parse_spec


class SelfAttention(nn.Module):
    """out(Ā v), q, k, v the heads of qkv(x), together `inner` wide (C where None); 4·C·inner
    parameters besides the attention's own, and 3·inner + C more with biases. An attention that
    looks at q alone, or at neither, has no projection for the others. attention_dropout: of the
    entries of Ā in training. causal: no token sees a later one.

    Remedies of the spec stand in it: one on the values is given Ā v, one on the output the result,
    one on the projections makes those of v and of the result. Raises UsageError for one on the
    projections where `inner` is not C.

    Padding may stand anywhere, but blocks, windows and columns of weights are counted from position
    0, whatever the mask: give the real tokens first where the result must not depend on where
    padding stands. Without tokens or examples the result is empty. Raises UsageError for an x or a
    mask of another shape or dtype.
    """

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
        inner = dim if inner is None else inner
        if heads < 1 or inner % heads:
            raise UsageError(f"a width of {inner} must be divisible by heads={heads}")
        self.dim, self.heads, self.head_dim = dim, heads, inner // heads
        spec = parse_spec(spec)
        qkv = nn.Linear(dim, 3 * inner, bias=bias)
        self.out = nn.Linear(inner, dim, bias=bias)
        self.attention = build_attention(
            without_remedies(spec),
            heads=heads,
            head_dim=self.head_dim,
            max_len=max_len,
            layer=layer,
            dim=dim,
            dropout=attention_dropout,
            causal=causal,
        )
        remedies = build_remedies(spec, dim=dim, heads=heads, layer=layer)
        if causal:
            require_causal(remedies.values())
        self.on_values = cast("OnValues | None", remedies.get("values"))
        self.on_output = cast("OnOutput | None", remedies.get("output"))
        self.on_projections = cast("OnProjections | None", remedies.get("projections"))
        self._term: Tensor | None = None
        self.names = [name for name in "qkv" if name in (*self.attention.projections, "v")]
        made = self.names
        if self.on_projections is not None:
            if inner != dim:
                raise UsageError(f"{spec} needs values as wide as x, {dim}, not {inner}")
            made = made[:-1]
            self.out.register_parameter("weight", None)
        self.qkv = _rows(qkv, ["qkv".index(name) for name in made]) if made else None

    def forward(
        self,
        x: Tensor,  # (B, N, C), or (T, C) of a packed batch
        keep: Tensor | Packing | None = None,  # (B, N), True for a real token
        shared: dict[str, Tensor] | None = None,
        cache: DecodingCache | None = None,
    ) -> Tensor:  # as x
        """shared: what the layers of one pass share, an empty dict that is handed from layer to
        layer; where there is none, a layer is its own first. cache: of the tokens before these, an
        empty one to begin with; each layer has one of its own."""
        packed, self._term = isinstance(keep, Packing), None
        require_floats("T, C" if packed else "B, N, C", x=x)
        if x.shape[-1] != self.dim:
            raise UsageError(f"x must have width dim={self.dim}; got shape {tuple(x.shape)}")
        require_dtype(next(self.parameters()).dtype, "the layer", x=x)
        if not isinstance(keep, Packing):
            require_mask(keep, *x.shape[:2])
            if keep is not None:
                x = torch.where(keep[..., None], x, 0.0)
        elif len(x) != len(keep.place):
            raise UsageError(f"x has {len(x)} tokens, its packing {len(keep.place)}")
        if cache is not None and not getattr(self.on_output, "by_token", True):
            raise UnsupportedError(
                f"{type(self.on_output).__name__} does not support decoding with a cache: it needs "
                "the earlier tokens' outputs"
            )
        parts, W_O, bias = [] if self.qkv is None else [self.qkv(x)], self.out.weight, self.out.bias
        if self.on_projections is not None:
            W_V, W_O = (weight.mT for weight in self.on_projections())
            parts.append(F.linear(x, W_V))
        made = torch.cat(parts, -1) if len(parts) > 1 else parts[0]
        if not isinstance(keep, Packing):
            y = self._attend(made, keep, x, cache)
        elif keep.ragged and self.attention.packs(made):
            y = self._attend(made[None], keep, x[None])[0]
        else:
            y = self._by_groups(made, keep, x)
        if self.on_values is not None or shared is not None:
            v = made[..., -W_O.shape[1] :]
            first = v if shared is None else shared.setdefault("values", v)
            if self.on_values is not None:
                y = self.on_values(y, v, first)
        y = F.linear(y, W_O, bias)
        if self.on_output is None:
            return y
        if not isinstance(keep, Packing):
            return self.on_output(y, keep)
        groups = keep.parts(y)
        results = [group.unpad(self.on_output(group.pad(x), group.keep)) for group, x in groups]
        return torch.cat(results) if results else self.on_output(y[None], None)[0]

    def after_ffn(self, y: Tensor) -> Tensor:
        """What the remedy on the output does to the feed-forward network's result, (…, C)."""
        return y if self.on_output is None else self.on_output.after_ffn(y)

    def _by_groups(self, made: Tensor, packing: Packing, x: Tensor) -> Tensor:
        if not packing.groups:
            return self._attend(made[None], None, x[None])[0]
        results, terms = [], []
        for group, part, given in packing.parts(made, x, whole=self.attention.shares):
            results.append(group.unpad(self._attend(group.pad(part), group.keep, group.pad(given))))
            term = self._handed_out()
            if term is not None:
                terms.append(term * (group.size / len(packing.examples)))
        self._term = torch.stack(terms).sum() if terms else None
        return torch.cat(results)

    def _attend(
        self,
        made: Tensor,
        keep: Tensor | Packing | None,
        x: Tensor,
        cache: DecodingCache | None = None,
    ) -> Tensor:
        """Ā v (B, N, inner) of the projections of x."""
        parts = rearrange(
            made, "b n (p h d) -> p b h n d", p=len(self.names), h=self.heads
        ).contiguous()
        by_name = dict(zip(self.names, parts, strict=True))
        v = by_name["v"]
        q = by_name.get("q", by_name.get("k", v))
        operator = self.attention(
            q, by_name.get("k", q), keep, x if self.attention.needs_input else None, cache
        )
        # Written out, since torch.compile breaks its graph at the @ of an object.
        y = self.attention.finish(operator.__matmul__(v))
        return rearrange(y, "b h n d -> b n (h d)")

    def auxiliary_loss(self) -> Tensor | None:
        """Its attention's; of a packed batch the mean over its examples that have a token."""
        term, self._term = self._term, None
        return self._handed_out() if term is None else term

    def _handed_out(self) -> Tensor | None:
        """Of its attention and of those inside."""
        total: Tensor | None = None
        for module in self.attention.modules():
            term = module.auxiliary_loss() if isinstance(module, Attention) else None
            if term is not None:
                total = term if total is None else total + term
        return total

    def __getstate__(self) -> dict[str, Any]:
        """Of copies: without the term, whose graph belongs to the step that made it."""
        return self.__dict__ | {"_term": None}

    def cost(self, inputs: Inputs) -> Cost | None:
        """That of its attention, of its projections and of the remedies."""
        cost, B, N, C = self.attention.cost(inputs), inputs.B, inputs.N, self.dim
        if cost is None:
            return None
        further: list[Product] = []
        for remedy in (self.on_values, self.on_output, self.on_projections):
            products = () if remedy is None else remedy.products(B, N, C)
            if products is None:
                return None
            further += products
        made = [] if self.qkv is None else [linear_product(self.qkv, B * N, inputs.input_grad)]
        if self.on_projections is None:
            made.append(linear_product(self.out, B * N))
        else:
            values = Product(B * N, C, C, backward=1 + inputs.input_grad)
            made += [values, Product(B * N, C, C)]
        return cost.made_by(*made, *further)


def _rows(qkv: nn.Linear, thirds: list[int]) -> nn.Linear:
    """Those thirds of a projection's outputs. Drawn whole and then cut, so that v's weights are the
    same for every attention."""
    if len(thirds) == 3:
        return qkv
    with torch.no_grad():
        for name, parameter in list(qkv.named_parameters()):
            kept = parameter.view(3, -1, *parameter.shape[1:])[thirds].flatten(0, 1)
            setattr(qkv, name, nn.Parameter(kept))
    qkv.out_features = len(qkv.weight)
    return qkv


def build_layer(
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
) -> SelfAttention | MixerLayer:
    """The module `(x, keep=None) -> x` of a spec, projections included; a mixer has its own. Raises
    UnsupportedError for an attention_dropout or a causal form that the spec does not support
    (`Support.dropout`, `Support.causal`).

    >>> layer = build_layer("performer+gfsa", dim=16, heads=2, max_len=64)
    >>> keep = torch.arange(40) < 30  # the last ten tokens are padding
    >>> layer(torch.randn(1, 40, 16), keep[None]).shape
    torch.Size([1, 40, 16])
    """
    kind = MixerLayer if is_mixer(parse_spec(spec).attention.name) else SelfAttention
    return kind(
        spec,
        dim=dim,
        heads=heads,
        max_len=max_len,
        layer=layer,
        bias=bias,
        inner=inner,
        attention_dropout=attention_dropout,
        causal=causal,
    )
