"""Batches, and which examples stand in each."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from lra.data.store import Split
from lra.seeds import generator

Batch = tuple[Tensor, Tensor, Tensor]  # tokens (B, N) long, keep (B, N) bool, labels (B,) long
MULTIPLE = 16  # lengths are padded to it: kernels are slower at odd ones


class Stream(Sampler[list[int]]):
    """`steps` training batches from an endless sequence of shuffled passes over the data.

    Which examples stand in a step is a function of (seed, step) alone: a batch may straddle two
    passes, none is short, none is dropped. Iteration begins at step `start`, and yields every
    `ranks`th member of each batch from the `rank`th on.
    """

    def __init__(
        self,
        size: int,
        batch: int,
        steps: int,
        seed: int,
        *,
        start: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.size, self.batch, self.steps, self.seed = size, batch, steps, seed
        self.start, self.rank, self.ranks = start, rank, ranks

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        current, order = -1, None
        for step in range(self.start, self.steps):
            members = []
            first = step * self.batch
            for position in range(first + self.rank, first + self.batch, self.ranks):
                number, place = divmod(position, self.size)
                if number != current:
                    current = number
                    order = torch.randperm(
                        self.size, generator=generator(self.seed, "order", number)
                    ).tolist()
                members.append(order[place])
            yield members


def collate(examples: list[tuple[np.ndarray, int]], max_len: int) -> Batch:
    """Pads with id 0 to the longest member, rounded up to MULTIPLE, at most max_len."""
    longest = max(len(tokens) for tokens, _ in examples)
    N = min(-(-longest // MULTIPLE) * MULTIPLE, max_len)
    padded = np.zeros((len(examples), N), dtype=np.int64)
    for row, (tokens, _) in zip(padded, examples, strict=True):
        row[: len(tokens)] = tokens
    lengths = torch.tensor([len(tokens) for tokens, _ in examples])
    keep = torch.arange(N) < lengths[:, None]
    return torch.from_numpy(padded), keep, torch.tensor([label for _, label in examples])


def training_batches(split: Split, stream: Stream, max_len: int) -> DataLoader:
    return DataLoader(split, batch_sampler=stream, collate_fn=lambda e: collate(e, max_len))


def evaluation_batches(
    split: Split,
    batch: int,
    max_len: int,
    *,
    drop_last: bool = False,
    rank: int = 0,
    ranks: int = 1,
) -> DataLoader:
    """The split in its order, each example once: on this rank every `ranks`th.

    drop_last: without the examples that fill no whole batch.
    """
    count = len(split) // batch * batch if drop_last else len(split)
    members = range(rank, count, ranks)
    size = max(1, batch // ranks)
    groups = [list(members[i : i + size]) for i in range(0, len(members), size)]
    return DataLoader(split, batch_sampler=groups, collate_fn=lambda e: collate(e, max_len))
