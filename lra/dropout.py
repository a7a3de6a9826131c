"""Dropout with few random bits."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BITS = 16


class Dropout(nn.Module):
    """Entries are 0 with probability p and divided by 1 − p else.

    On a CPU torch draws a double an entry, which takes longer than the layer before it; here an
    entry takes 16 bits of the global generator, so that p is a multiple of 2⁻¹⁶ (and 1 − p is
    exactly what is divided by). Elsewhere it is torch's own.
    Srivastava et al. 2014.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.p):
            return x
        zeros = round(self.p * 2**BITS)  # of so many values of an entry's bits
        if x.device.type != "cpu" or zeros == 2**BITS:
            return F.dropout(x, self.p)
        bits = torch.empty(-(-x.numel() * BITS // 64), dtype=torch.int64).random_(-(2**63), None)
        drawn = bits.view(torch.int16)[: x.numel()].view(x.shape)
        kept = (drawn >= zeros - 2 ** (BITS - 1)).view(torch.uint8)  # torch.where takes longer
        return x * kept * (2**BITS / (2**BITS - zeros))

    def extra_repr(self) -> str:
        return f"p={self.p}"
