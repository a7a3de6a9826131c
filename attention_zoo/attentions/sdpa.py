"""Exact softmax attention by torch's fused kernels."""

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
from attention_zoo.operators import KernelOperator
from attention_zoo.packing import Packing
from attention_zoo.parts.exact import softmax_matrix
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

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> KernelOperator:
        return KernelOperator(q, k, keep, partial(self._kernel, 0.0), self._kernel)

    def _kernel(
        self, dropout: float, q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None
    ) -> Tensor:
        mask = None if keep is None else keep[:, None, None, :]
        if self.backend == "auto":
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        try:
            with sdpa_kernel(BACKENDS[self.backend]):
                return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            given = f"{q.device.type} {q.dtype} head width {q.shape[-1]}"
            raise UnsupportedError(
                f"sdpa:backend={self.backend} cannot run here ({given}"
                f"{', padding mask' if keep is not None else ''}): {one_line(error)}; "
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
            y = varlen.varlen_attn(q, k, v, offsets, offsets, longest, longest)
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
        return softmax_matrix(q, k, keep)
