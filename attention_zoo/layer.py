"""The self-attention layer: everything around the operator, the same for every attention."""

import torch
from einops import rearrange
from torch import Tensor, nn

from attention_zoo.build import build_attention
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, linear_product
from attention_zoo.spec import Spec


class SelfAttention(nn.Module):
    """out(Ā v), q, k, v the heads of qkv(x), together `inner` wide (C where None); 4·C·inner
    parameters besides the attention's own, and 3·inner + C more with biases. An attention that
    looks at q alone, or at neither, has no projection for the others."""

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
    ) -> None:
        super().__init__()
        inner = dim if inner is None else inner
        if inner % heads:
            raise UsageError(f"a width of {inner} is no multiple of heads={heads}")
        self.heads, self.head_dim = heads, inner // heads
        qkv = nn.Linear(dim, 3 * inner, bias=bias)
        self.out = nn.Linear(inner, dim, bias=bias)
        self.attention = build_attention(
            spec, heads=heads, head_dim=self.head_dim, max_len=max_len, layer=layer, dim=dim
        )
        self.names = [name for name in "qkv" if name in (*self.attention.projections, "v")]
        self.qkv = _rows(qkv, ["qkv".index(name) for name in self.names])

    def forward(
        self,
        x: Tensor,  # (B, N, C)
        keep: Tensor | None = None,  # (B, N), True for a real token
    ) -> Tensor:  # (B, N, C)
        if keep is not None:
            x = torch.where(keep[..., None], x, 0.0)
        parts = rearrange(
            self.qkv(x), "b n (p h d) -> p b h n d", p=len(self.names), h=self.heads
        ).contiguous()
        made = dict(zip(self.names, parts, strict=True))
        v = made["v"]
        q = made.get("q", made.get("k", v))
        operator = self.attention(
            q, made.get("k", q), keep, x if self.attention.needs_input else None
        )
        y = self.attention.finish(operator @ v)
        return self.out(rearrange(y, "b h n d -> b n (h d)"))

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
) -> SelfAttention:
    """The module `(x, keep=None) -> x` of a spec, projections included."""
    return SelfAttention(
        spec, dim=dim, heads=heads, max_len=max_len, layer=layer, bias=bias, inner=inner
    )
