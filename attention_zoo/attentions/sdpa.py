"""Exact softmax attention by torch's fused kernels."""

from collections.abc import Callable
from functools import partial
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel, varlen

from attention_zoo.attention import Attention, Support
from attention_zoo.derivatives import first_order
from attention_zoo.errors import UnsupportedError, one_line
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, CachedOperator, DecodingCache, KernelOperator
from attention_zoo.packing import Packing
from attention_zoo.parts.exact import lower_triangle, seen, softmax_matrix
from attention_zoo.registry import register_attention

BACKENDS = {
    "math": SDPBackend.MATH,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
}


@register_attention("sdpa")
class SDPA(Attention):
    """Ā = softmax(q kᵀ / √D) by torch's scaled_dot_product_attention, in O(N) memory.

    backend: `auto` leaves the choice to torch; another name allows that kernel alone and raises
    UnsupportedError where it cannot run (on CUDA, `flash` takes no padding mask).

    Vaswani et al. 2017 (arXiv 1706.03762), eq. 1; the flash kernel is Dao et al. 2022
    (arXiv 2205.14135), algorithm 1.
    """

    support = Support(
        paper="Vaswani et al. 2017",
        rows_sum_to_one=True,
        time="N²",
        memory="N",
        family="softmax",
        causal="optional",
        second_derivatives=False,
        dropout="redrawn",
    )

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        backend: Literal["auto", "math", "flash", "efficient", "cudnn"] = "auto",
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.backend = backend

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, cache: DecodingCache | None = None
    ) -> AttentionOperator:
        if cache is not None:
            k, real = cache.append("keys", k), cache.mask(keep, q)
            mask = seen(q, k, real) if q.shape[2] > 1 or real is not None else None
            return CachedOperator(q, keep, cache, lambda v: self._attend(q, k, v, mask=mask))
        if self.causal and keep is not None:
            return RealFirstOperator(q, k, keep, self._kernel)
        return KernelOperator(q, k, keep, partial(self._kernel, 0.0), self._kernel)

    def _kernel(
        self, dropout: float, q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None
    ) -> Tensor:
        mask = None if keep is None else keep[:, None, None, :]
        return self._attend(q, k, v, mask=mask, dropout=dropout, causal=self.causal)

    def _attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None = None,
        dropout: float = 0.0,
        causal: bool = False,
    ) -> Tensor:
        call = partial(F.scaled_dot_product_attention, q, k, v, mask, dropout, causal)
        if self.backend == "auto":
            return call()
        try:
            with sdpa_kernel(BACKENDS[self.backend]):
                return call()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            given = f"{q.device.type} {q.dtype} head width {q.shape[-1]}"
            raise UnsupportedError(
                f"sdpa:backend={self.backend} cannot run here ({given}"
                f"{', attention mask' if mask is not None else ''}): {one_line(error)}; "
                "`sdpa` lets torch choose"
            ) from error

    def packs(self, x: Tensor) -> bool:
        """Torch's kernel for packed batches is flash attention, which draws no dropout there."""
        return (
            x.is_cuda
            and torch.cuda.get_device_capability(x.device) >= (8, 0)
            and x.dtype in (torch.bfloat16, torch.float16)
            and self.backend in ("auto", "flash")
            and self.head_dim in range(8, 257, 8)
            and not (self.training and self.attention_dropout)
        )

    def packed(self, q: Tensor, k: Tensor, packing: Packing) -> KernelOperator:
        offsets, longest = packing.offsets(), max(packing.lengths)

        def kernel(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q, k, v = (x[0].transpose(0, 1) for x in (q, k, v))  # (T, H, D)
            window = (-1, 0 if self.causal else -1)
            y = varlen.varlen_attn(q, k, v, offsets, offsets, longest, longest, window_size=window)
            return cast("Tensor", y).transpose(0, 1)[None]

        return KernelOperator(q, k, None, lambda q, k, v, _: first_order("sdpa", kernel, q, k, v))

    def cost(self, inputs: Inputs) -> Cost:
        """Fused kernels compute the scores anew in the backward pass, a fifth product."""
        B, H, N, D = inputs.shape
        backward = 4 if self._chosen(inputs) == SDPBackend.MATH else 5
        return Cost(applying=(Product(N, D, N, B * H, forward=2, backward=backward),))

    def _chosen(self, inputs: Inputs) -> SDPBackend:
        """The kernel that runs, by torch's own choice where that is left to it."""
        if self.backend != "auto":
            return BACKENDS[self.backend]
        B, H, N, D = inputs.shape
        q = torch.empty(1, 1, 1, D, dtype=inputs.dtype, device=inputs.device)
        q = q.expand(B, H, N, D).requires_grad_()
        mask = None
        if inputs.lengths is not None:
            mask = torch.ones(1, dtype=torch.bool, device=inputs.device).expand(B, 1, 1, N)
        return SDPBackend(torch._fused_sdp_choice(q, q, q, mask, self.attention_dropout))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        return softmax_matrix(q, k, keep, lower_triangle(q) if self.causal else None)


class RealFirstOperator(AttentionOperator):
    """A causal kernel without a padding mask: the real tokens are moved before the padding, where
    no row of theirs looks at it. A mask of both would be N×N."""

    def __init__(
        self,
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        keep: Tensor,  # (B, N)
        kernel: Callable[[float, Tensor, Tensor, Tensor, None], Tensor],
        p: float = 0.0,
    ) -> None:
        super().__init__(q, keep)
        self._given = q, k, keep, kernel
        order = (~keep).int().argsort(dim=1, stable=True)[:, None, :, None]  # (B, 1, N, 1)
        self._order, self._back = order, order.argsort(dim=2)
        self._kernel = partial(kernel, p, self._moved(q, order), self._moved(k, order))

    @staticmethod
    def _moved(x: Tensor, places: Tensor) -> Tensor:
        return x.gather(2, places.expand_as(x))

    def dropout(self, p: float) -> "RealFirstOperator":
        return RealFirstOperator(*self._given, p)

    def _apply(self, v: Tensor) -> Tensor:
        y = self._kernel(self._moved(v, self._order), None)
        return self._moved(y, self._back)
