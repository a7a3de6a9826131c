"""The self-attention layer: everything around the operator, the same for every attention."""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from attention_zoo.attention import Attention
from attention_zoo.build import build_attention
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, linear_product
from attention_zoo.inputs import require_dtype, require_floats, require_mask
from attention_zoo.packing import Packing
from attention_zoo.spec import Spec


class SelfAttention(nn.Module):
    """out(Ā v), q, k, v the heads of qkv(x), together `inner` wide (C where None); 4·C·inner
    parameters besides the attention's own, and 3·inner + C more with biases. An attention that
    looks at q alone, or at neither, has no projection for the others. attention_dropout: of the
    entries of Ā in training.

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
    ) -> None:
        super().__init__()
        inner = dim if inner is None else inner
        if heads < 1 or inner % heads:
            raise UsageError(f"a width of {inner} must be divisible by heads={heads}")
        self.dim, self.heads, self.head_dim = dim, heads, inner // heads
        qkv = nn.Linear(dim, 3 * inner, bias=bias)
        self.out = nn.Linear(inner, dim, bias=bias)
        self.attention = build_attention(
            spec,
            heads=heads,
            head_dim=self.head_dim,
            max_len=max_len,
            layer=layer,
            dim=dim,
            dropout=attention_dropout,
        )
        self._term: Tensor | None = None
        self.names = [name for name in "qkv" if name in (*self.attention.projections, "v")]
        self.qkv = _rows(qkv, ["qkv".index(name) for name in self.names])

    def forward(
        self,
        x: Tensor,  # (B, N, C), or (T, C) of a packed batch
        keep: Tensor | Packing | None = None,  # (B, N), True for a real token
    ) -> Tensor:  # as x
        packed, self._term = isinstance(keep, Packing), None
        require_floats("T, C" if packed else "B, N, C", x=x)
        if x.shape[-1] != self.dim:
            raise UsageError(f"x must have width dim={self.dim}; got shape {tuple(x.shape)}")
        require_dtype(self.out.weight.dtype, "the layer", x=x)
        if isinstance(keep, Packing):
            if len(x) != len(keep.place):
                raise UsageError(f"x has {len(x)} tokens, its packing {len(keep.place)}")
            made = self.qkv(x)
            if keep.ragged and self.attention.packs(made):
                return self.out(self._attend(made[None], keep, x[None])[0])
            return self.out(self._by_groups(made, keep, x))
        require_mask(keep, *x.shape[:2])
        if keep is not None:
            x = torch.where(keep[..., None], x, 0.0)
        return self.out(self._attend(self.qkv(x), keep, x))

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

    def _attend(self, made: Tensor, keep: Tensor | Packing | None, x: Tensor) -> Tensor:
        """Ā v (B, N, inner) of the projections of x."""
        parts = rearrange(
            made, "b n (p h d) -> p b h n d", p=len(self.names), h=self.heads
        ).contiguous()
        by_name = dict(zip(self.names, parts, strict=True))
        v = by_name["v"]
        q = by_name.get("q", by_name.get("k", v))
        operator = self.attention(
            q, by_name.get("k", q), keep, x if self.attention.needs_input else None
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
        """That of its attention and of both projections."""
        cost, rows = self.attention.cost(inputs), inputs.B * inputs.N
        if cost is None:
            return None
        return cost.made_by(
            linear_product(self.qkv, rows, inputs.input_grad), linear_product(self.out, rows)
        )


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
) -> SelfAttention:
    """The module `(x, keep=None) -> x` of a spec, projections included. Raises UnsupportedError
    for an attention_dropout that the attention does not support (`Support.dropout`).

    >>> layer = build_layer("performer+gfsa", dim=16, heads=2, max_len=64)
    >>> keep = torch.arange(40) < 30  # the last ten tokens are padding
    >>> layer(torch.randn(1, 40, 16), keep[None]).shape
    torch.Size([1, 40, 16])
    """
    return SelfAttention(
        spec,
        dim=dim,
        heads=heads,
        max_len=max_len,
        layer=layer,
        bias=bias,
        inner=inner,
        attention_dropout=attention_dropout,
    )
