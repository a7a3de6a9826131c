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
    passes, none is short, none is dropped.
    """

    def __init__(self, size: int, batch: int, steps: int, seed: int) -> None:
        self.size, self.batch, self.steps, self.seed = size, batch, steps, seed

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        current, order = -1, None
        for step in range(self.steps):
            members = []
            for position in range(step * self.batch, (step + 1) * self.batch):
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


def training_batches(split: Split, batch: int, steps: int, seed: int, max_len: int) -> DataLoader:
    stream = Stream(len(split), batch, steps, seed)
    return DataLoader(split, batch_sampler=stream, collate_fn=lambda e: collate(e, max_len))


def evaluation_batches(split: Split, batch: int, max_len: int) -> DataLoader:
    """The whole split, each example once, in its order."""
    return DataLoader(split, batch_size=batch, collate_fn=lambda e: collate(e, max_len))
