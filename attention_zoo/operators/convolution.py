"""A convolution over the tokens, one kernel a head."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators.base import AttentionOperator


def convolution_kernel(name: str, heads: int, width: int) -> nn.Parameter | None:
    """The learned kernel (heads, width) of an attention's `conv` option, None for a width of 0."""
    if width < 0 or (width and width % 2 == 0):
        raise UsageError(f"{name} needs an odd conv, or 0 for none, not {width}")
    return nn.Parameter(torch.empty(heads, width).uniform_(-1, 1) / width**0.5) if width else None


def toeplitz(
    kernel: Tensor,  # (H, K)
    N: int,
    keep: Tensor | None,  # (B, N)
) -> Tensor:  # (H, N, N) or (B, H, N, N)
    """The matrix of a `ConvolutionOperator`, entry by entry, for references."""
    place, K = torch.arange(N, device=kernel.device), kernel.shape[1]
    tap = place - place[:, None] + K // 2
    matrix = kernel[:, tap.clamp(0, K - 1)] * ((tap >= 0) & (tap < K))
    return matrix if keep is None else matrix * keep[:, None, None]


BLOCK = 64  # b, rows of Ā in one product: more of them waste zeros, fewer read v more often


class ConvolutionOperator(AttentionOperator):
    """Āᵢⱼ = wⱼ₋ᵢ₊⌊K/2⌋ for |j − i| ≤ ⌊K/2⌋ and a real token j, else 0: a banded Toeplitz matrix.

    Held as the one block of rows that repeats along the tokens, (H, b, b + K − 1), so that a
    product is one batched matrix product; N·(b + K − 1)·D multiply-adds.
    """

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        kernel: Tensor,  # (H, K), K odd
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.reach = kernel.shape[-1] // 2
        width = BLOCK + kernel.shape[-1] - 1
        # Rows one longer than the band is wide, read on at its width: each shifts by one more.
        rows = F.pad(kernel, (0, BLOCK))[:, None].expand(-1, BLOCK, -1).flatten(1)
        self.band = rows[:, : BLOCK * width].unflatten(1, (BLOCK, width)).to(like.dtype)

    @staticmethod
    def cost(inputs: Inputs, K: int) -> Cost:
        B, H, N, D = inputs.shape
        blocks = -(-N // BLOCK)
        return Cost(applying=(Product(BLOCK, BLOCK + K - 1, D, B * H * blocks),))

    def _apply(self, v: Tensor) -> Tensor:
        N = v.shape[-2]
        v = F.pad(v, (0, 0, self.reach, self.reach + -N % BLOCK))
        windows = v.unfold(2, self.band.shape[-1], BLOCK)  # (B, H, n, D, b + K − 1)
        return torch.einsum("hij,bhndj->bhnid", self.band, windows).flatten(2, 3)[:, :, :N]
