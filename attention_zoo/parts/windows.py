"""Which columns the rows of a sparse attention look at: windows, global tokens, strides, blocks."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo.operators import gather_blocks


class Columns(Protocol):
    """Columns that the rows look at.

    Tokens come in blocks, x (B, H, n, b, ·), batch or heads 1 where they do not matter. rows(q) @
    columns(k)ᵀ are the scores, of which `seen`, broadcast to them, count; `back` brings (…, c) to
    (B, H, n, b, c) without a copy. Each is a named tuple, whose tensors torch's transforms find.
    """

    @property
    def seen(self) -> Tensor: ...  # bool

    def __iter__(self) -> Iterator[Any]: ...

    def columns(self, x: Tensor) -> Tensor: ...

    def rows(self, x: Tensor) -> Tensor: ...

    def back(self, y: Tensor) -> Tensor: ...


class Window(NamedTuple):
    """A row's own block and `reach` tokens on either side of it."""

    block: int
    reach: int
    seen: Tensor  # up to (B, H, n, b, c), c = block + 2·reach

    def rows(self, x: Tensor) -> Tensor:
        return x

    def back(self, y: Tensor) -> Tensor:
        return y

    def columns(self, x: Tensor) -> Tensor:
        if not self.reach:
            return x
        x = F.pad(x.flatten(2, 3), (0, 0, self.reach, self.reach))
        return x.unfold(2, self.block + 2 * self.reach, self.block).mT


class Chosen(NamedTuple):
    """The tokens `which`, the same for every row."""

    block: int
    which: Tensor  # (B or 1, G) long
    seen: Tensor  # (B or 1, 1, 1, G)

    def rows(self, x: Tensor) -> Tensor:
        return x.flatten(2, 3)

    def columns(self, x: Tensor) -> Tensor:
        return take(x.flatten(2, 3), self.which)

    def back(self, y: Tensor) -> Tensor:
        return y.unflatten(2, (-1, self.block))


class ChosenBlocks(NamedTuple):
    """The blocks `which`, of each block of rows its own."""

    which: Tensor  # (B or 1, H, n, m) long
    seen: Tensor  # (B or 1, H, n, 1, m·b)

    def rows(self, x: Tensor) -> Tensor:
        return x

    def back(self, y: Tensor) -> Tensor:
        return y

    def columns(self, x: Tensor) -> Tensor:
        x = x.expand(-1, self.which.shape[1], -1, -1, -1)
        return gather_blocks(x, self.which.expand(x.shape[0], -1, -1, -1))


class Strided(NamedTuple):
    """The tokens at a multiple of b from the row: the same place of every block."""

    seen: Tensor  # up to (B, H, b, n, n)

    def rows(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3)

    def columns(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3)

    def back(self, y: Tensor) -> Tensor:
        return y.transpose(2, 3)


def places(N: int, block: int, reach: int, device: torch.device) -> Tensor:
    """The positions of a `Window`'s columns, (n, 1, c), below 0 and from N on where there are no
    tokens."""
    first = torch.arange(0, N, block, device=device) - reach
    return first[:, None, None] + torch.arange(block + 2 * reach, device=device)


def band(block: int, reach: int, device: torch.device) -> Tensor:
    """Which of a `Window`'s columns are at most `reach` from the row itself, (b, c)."""
    offset = torch.arange(block + 2 * reach, device=device)
    offset = offset - torch.arange(block, device=device)[:, None]
    return (offset >= 0) & (offset <= 2 * reach)


def take(
    x: Tensor,  # (B, H, N, D)
    index: Tensor,  # (B or 1, G) long
) -> Tensor:  # (B, H, G, D)
    return x.gather(2, index[:, None, :, None].expand(*x.shape[:2], -1, x.shape[-1]))
