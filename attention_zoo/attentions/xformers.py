"""Exact softmax attention by xformers' memory-efficient kernels."""

import importlib.util
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.derivatives import first_order
from attention_zoo.errors import UnsupportedError, one_line
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator
from attention_zoo.packing import Packing
from attention_zoo.parts.exact import lower_triangle, softmax_matrix
from attention_zoo.registry import register_attention

INSTEAD = "`sdpa` is the same mathematics in torch's own kernels"


@register_attention("xformers")
class MemoryEfficient(Attention):
    """Ā = softmax(q kᵀ / √D) by xformers.ops.memory_efficient_attention (tested: 0.0.35).

    Batches are packed: the real tokens of all examples as one sequence under a BlockDiagonalMask,
    the only padding that its kernels train with; where a batch comes padded, the gather and scatter
    are part of its cost. Head widths are multiples of 8 (16-bit alignment) up to 256 (its flash
    kernel). Rabe & Staats 2021 (arXiv 2112.05682); Lefaudeux et al. 2022.
    """

    support = Support(
        paper="Rabe & Staats 2021",
        rows_sum_to_one=True,
        time="N²",
        memory="N",
        family="softmax",
        causal="optional",
        second_derivatives=False,
        vmap=False,
        devices=("cuda",),
        dtypes=(torch.float32, torch.bfloat16, torch.float16),
        head_dims=(8, 256, 8),
        dropout="redrawn",
    )

    exceptions: ClassVar = {
        "export": "the mask's values decide the shapes of packed batches",
    }

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        return PackedOperator(q, k, keep, causal=self.causal)

    def packs(self, x: Tensor) -> bool:
        return True

    def packed(self, q: Tensor, k: Tensor, packing: Packing) -> AttentionOperator:
        return PackedOperator(q, k, None, packing.lengths, self.causal)

    def cost(self, inputs: Inputs) -> Cost:
        """Backward the kernels compute the scores anew, a fifth product; padded tokens are left
        out."""
        B, H, N, D = inputs.shape
        lengths = B * (N,) if inputs.lengths is None else inputs.lengths
        return Cost(applying=tuple(Product(n, D, n, H, forward=2, backward=5) for n in lengths))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        return softmax_matrix(q, k, keep, lower_triangle(q) if self.causal else None)

    @classmethod
    def unsupported(cls, device: str, dtype: torch.dtype, head_dim: int) -> list[str]:
        reasons = super().unsupported(device, dtype, head_dim)
        if importlib.util.find_spec("xformers") is None:
            reasons.append("xformers is not installed (pip install 'xformers>=0.0.34,<0.0.36')")
        return [*reasons, INSTEAD] if reasons else []


class PackedOperator(AttentionOperator):
    """Packs q and k once, and each v as it comes. lengths: of the examples where they are packed
    already. p: of dropout, drawn at each application."""

    def __init__(
        self,
        q: Tensor,
        k: Tensor,
        keep: Tensor | None,
        lengths: Sequence[int] = (),
        causal: bool = False,
        p: float = 0.0,
    ) -> None:
        super().__init__(q, keep)
        self._given, self._p = (q, k, keep, lengths, causal), p
        try:
            from xformers.ops import memory_efficient_attention
            from xformers.ops.fmha import attn_bias
        except ImportError as error:
            raise UnsupportedError(f"xformers: {one_line(error)}; {INSTEAD}") from error
        self._memory_efficient_attention = memory_efficient_attention
        self._real = self._bias = None
        if keep is not None:
            lengths = [n for n in keep.sum(-1).tolist() if n]
            self._real = keep.flatten().nonzero().squeeze(-1)  # (ΣM,)
        if lengths:
            mask = attn_bias.BlockDiagonalCausalMask if causal else attn_bias.BlockDiagonalMask
            self._bias = mask.from_seqlens(lengths, device=q.device)
        elif causal and keep is None:
            self._bias = attn_bias.LowerTriangularMask(device=q.device)
        self._q, self._k = self._pack(q), self._pack(k)

    def dropout(self, p: float) -> "PackedOperator":
        return PackedOperator(*self._given, p)

    def _pack(self, x: Tensor) -> Tensor:
        """(B, H, N, D) to xformers' (B, N, H, D), or (1, ΣM, H, D) of the real tokens."""
        x = x.transpose(1, 2)
        return x if self._real is None else x.flatten(0, 1).index_select(0, self._real)[None]

    def _apply(self, v: Tensor) -> Tensor:
        if self._real is not None and self._bias is None:
            return torch.zeros_like(v)  # no example has a real token
        kernel = partial(self._memory_efficient_attention, attn_bias=self._bias, p=self._p)
        try:
            out = first_order("xformers", kernel, self._q, self._k, self._pack(v))
        except NotImplementedError as error:
            raise UnsupportedError(f"xformers: {one_line(error)}; {INSTEAD}") from error
        if self._real is not None:
            B, H, N, D = v.shape
            empty = out.new_zeros(B * N, H, D)
            out = empty.index_copy(0, self._real, out[0]).view(B, N, H, D)
        return out.transpose(1, 2)
