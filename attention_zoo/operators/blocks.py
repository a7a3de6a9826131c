"""An attention whose rows, in blocks of b tokens, look at few blocks of columns."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators.base import AttentionOperator


def to_blocks(x: Tensor, b: int) -> Tensor:
    """(…, N, D) to (…, ⌈N/b⌉, b, D), with zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[-2] % b))
    return x.unflatten(-2, (-1, b))


def from_blocks(x: Tensor, N: int) -> Tensor:
    """(…, ⌈N/b⌉, b, D) to (…, N, D)."""
    return x.flatten(-3, -2)[..., :N, :]


def gather_blocks(
    x: Tensor,  # (B, H, n, b, D)
    index: Tensor,  # (n, m) or (B, H, n, m) long: the m blocks that each block looks at
) -> Tensor:  # (B, H, n, m·b, D)
    """Whole blocks are copied, and their gradient is one indexed sum."""
    B, H, n, _, D = x.shape
    if index.dim() == 2:
        return x.index_select(2, index.flatten()).view(B, H, index.shape[0], -1, D)
    first = torch.arange(0, B * H * n, n, device=x.device).view(B, H, 1, 1)
    blocks = x.flatten(0, 2).index_select(0, (first + index).flatten())
    return blocks.view(B, H, index.shape[2], -1, D)


class BlockOperator(AttentionOperator):
    """Row block i of Ā is 0 outside the column blocks index[…, i, :]; N·m·b entries are held."""

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        weights: Tensor,  # (B, H, n, b, m·b), zero in the columns of padded positions
        index: Tensor,  # (n, m) or (B, H, n, m) long
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.weights, self.index = weights, index

    @staticmethod
    def cost(inputs: Inputs, b: int, m: int) -> Cost:
        B, H, N, D = inputs.shape
        return Cost(applying=(Product(b, m * b, D, B * H * -(-N // b)),))

    def _apply(self, v: Tensor) -> Tensor:
        blocks = gather_blocks(to_blocks(v, self.weights.shape[-2]), self.index)
        return from_blocks(self.weights @ blocks, v.shape[-2])


def neighbours(n: int, left: int, right: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The blocks from `left` before to `right` after each of n, (n, left + 1 + right) long, clamped
    to those there are, and which of them are there, bool."""
    index = torch.arange(n, device=device)[:, None] + torch.arange(-left, right + 1, device=device)
    return index.clamp(0, n - 1), (index >= 0) & (index < n)
