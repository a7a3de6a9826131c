"""Exact softmax attention by torch's fused kernels."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UnsupportedError, one_line
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import KernelOperator
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
        return KernelOperator(q, k, keep, self._kernel)

    def _kernel(self, q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None) -> Tensor:
        mask = None if keep is None else keep[:, None, None, :]
        if self.backend == "auto":
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        try:
            with sdpa_kernel(BACKENDS[self.backend]):
                return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            given = f"{q.device.type} {q.dtype} head width {q.shape[-1]}"
            raise UnsupportedError(
                f"sdpa:backend={self.backend} cannot run here ({given}"
                f"{', padding mask' if keep is not None else ''}): {one_line(error)}; "
                "`sdpa` lets torch choose"
            ) from error

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
        return SDPBackend(torch._fused_sdp_choice(q, q, q, mask))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        return softmax_matrix(q, k, keep)
