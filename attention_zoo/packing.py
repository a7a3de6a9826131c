"""A batch without its padding: the real tokens of all examples, one after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

# On a CPU the examples of a length are worked on apart from others, without a mask. Short ones go
# together, since each call of an attention costs as much as some hundred tokens.
TOKENS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Group:
    """Neighbouring examples that an attention works on together.

    size: b of them. length: n, of the longest. keep: (b, n) bool, True for a real token, None where
    all are as long. padded: whether the packed form holds their pads, too.
    """

    size: int
    length: int
    keep: Tensor | None
    padded: bool = False
    _real: Tensor | None = field(init=False)  # where the tokens stand in the padded form

    def __post_init__(self) -> None:
        real = None
        if self.keep is not None and not self.padded:
            real = self.keep.flatten().nonzero().squeeze(1)
        object.__setattr__(self, "_real", real)

    @property
    def tokens(self) -> int:
        """Of the packed form."""
        return self.size * self.length if self._real is None else len(self._real)

    def pad(self, x: Tensor) -> Tensor:  # (tokens, C) -> (b, n, C)
        if self._real is not None:
            empty = x.new_zeros(self.size * self.length, x.shape[1])
            x = empty.index_copy(0, self._real, x)
        return x.view(self.size, self.length, x.shape[1])

    def unpad(self, x: Tensor) -> Tensor:  # (b, n, C) -> (tokens, C)
        x = x.flatten(0, 1)
        return x if self._real is None else x.index_select(0, self._real)

    def sum(self, x: Tensor) -> Tensor:  # (tokens, C) -> (b, C)
        """Over each example's real tokens."""
        return self._real_of(self.pad(x), self.keep).sum(1)

    def first(self, x: Tensor) -> Tensor:  # (tokens, C) -> (b, C)
        """Of each example's real tokens."""
        keep = None if self.keep is None else self.keep[:, 0]
        return self._real_of(self.pad(x)[:, 0], keep)

    def lengths(self) -> Tensor | int:  # (b, 1), or one number for all
        return self.length if self.keep is None else self.keep.sum(1, keepdim=True).clamp(min=1)

    def _real_of(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """Zero at the pads that the packed form holds."""
        return torch.where(keep[..., None], x, 0.0) if self.padded and keep is not None else x


class Packing:
    """Where the tokens of a padded batch stand in its packed form (T, C): the real ones alone,
    examples from the shortest to the longest, each with its tokens in their order, wherever padding
    stood.

    padded: keep the pads, behind each example's real tokens: the same results, with the work on
    pads that it saves; so it is under torch.compile and torch.export, whose graphs cannot follow
    lengths. together: how many tokens of short examples go together on a CPU; on a GPU
    all examples do.

    place (T,): of a token in its example, from 0. groups: one after another they are the batch.
    examples (b,): which of the batch stand in them, in their order; those without a real token do
    not. lengths: of these, in tokens, ragged: whether they differ, where no pads are kept.
    """

    def __init__(
        self,
        keep: Tensor,  # (B, N) bool, True for a real token
        padded: bool = False,
        together: int = TOKENS_AT_ONCE,
    ) -> None:
        B, N = keep.shape
        compiling = torch.compiler.is_compiling()
        padded = padded or compiling
        counts = keep.sum(1)
        order = torch.arange(B, device=keep.device) if padded else counts.argsort(stable=True)
        self.lengths: list[int] = [] if padded else [n for n in counts[order].tolist() if n]
        self.ragged = len(set(self.lengths)) > 1
        if padded:
            places = torch.arange(N, device=keep.device)
            real = places < counts[:, None]  # (B, N), when the real ones have moved to the front
            full = not compiling and bool(real.all())
            self.groups = [Group(B, N, None if full else real, padded=True)]
            self.examples, self.place = order, places.repeat(B)
            moved = (~keep).int().argsort(dim=1, stable=True)
            self._tokens = (moved + order[:, None] * N).flatten()
        else:
            together = together if keep.device.type == "cpu" else B * N
            self.groups = _groups(self.lengths, together, keep.device)
            self.examples = order[B - len(self.lengths) :]
            keep = keep[order]
            row, column = keep.nonzero(as_tuple=True)
            self.place = keep.cumsum(1)[row, column] - 1
            self._tokens = order[row] * N + column

    def offsets(self) -> Tensor:  # (b + 1,) int32
        """Where each example begins, and the end."""
        lengths = torch.tensor([0, *self.lengths], dtype=torch.int32)
        return lengths.cumsum(0, dtype=torch.int32).to(self.place.device)

    def pack(self, x: Tensor) -> Tensor:  # (B, N) -> (T,)
        return x.flatten().index_select(0, self._tokens)

    def parts(self, *packed: Tensor, whole: bool = False) -> Iterator[tuple[Any, ...]]:
        """Each group with its (tokens, C) of every packed (T, C). whole: of one group of all."""
        groups = self.groups
        if whole and len(groups) > 1:
            groups = [_group(self.lengths, self.place.device)]
        sizes = [group.tokens for group in groups]
        return zip(groups, *(x.split(sizes) for x in packed), strict=True)


def _groups(lengths: list[int], together: int, device: torch.device) -> list[Group]:
    """Of ascending lengths."""
    groups, start = [], 0
    for i in range(1, len(lengths) + 1):
        if i < len(lengths):
            alike = lengths[i] == lengths[start]
            if alike or (i + 1 - start) * lengths[i] <= together:
                continue
        groups.append(_group(lengths[start:i], device))
        start = i
    return groups


def _group(lengths: list[int], device: torch.device) -> Group:
    longest, keep = lengths[-1], None
    if lengths[0] < longest:
        keep = torch.arange(longest, device=device) < torch.tensor(lengths, device=device)[:, None]
    return Group(len(lengths), longest, keep)
