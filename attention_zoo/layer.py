"""The self-attention layer: everything around the operator, the same for every attention."""

import torch
from einops import rearrange
from torch import Tensor, nn

from attention_zoo.build import build_attention
from attention_zoo.errors import UsageError
from attention_zoo.spec import Spec


class SelfAttention(nn.Module):
    """out(Ā v), q, k, v the heads of qkv(x), together `inner` wide (C where None); 4·C·inner
    parameters besides the attention's own, and 3·inner + C more with biases."""

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
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * inner, bias=bias)
        self.out = nn.Linear(inner, dim, bias=bias)
        self.attention = build_attention(
            spec, heads=heads, head_dim=inner // heads, max_len=max_len, layer=layer
        )

    def forward(
        self,
        x: Tensor,  # (B, N, C)
        keep: Tensor | None = None,  # (B, N), True for a real token
    ) -> Tensor:  # (B, N, C)
        if keep is not None:
            x = torch.where(keep[..., None], x, 0.0)
        qkv = rearrange(self.qkv(x), "b n (three h d) -> three b h n d", three=3, h=self.heads)
        q, k, v = qkv.contiguous()
        operator = self.attention(q, k, keep, x if self.attention.needs_input else None)
        return self.out(rearrange(operator @ v, "b h n d -> b n (h d)"))


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
