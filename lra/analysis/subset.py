"""Which examples are looked at, and how the model sees them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from attention_zoo import UsageError
from lra.data.batches import Padding, collate
from lra.data.store import Split
from lra.seeds import generator

SEED = 0  # of every analysis, so that all runs on one data set are looked at on the same examples


@dataclass(frozen=True)
class Chosen:
    """Examples of a split. length: tokens to which each sequence is cut; None leaves them whole."""

    split: Split
    length: int | None

    def __len__(self) -> int:
        return len(self.split)

    def one_by_one(self, padding: Padding) -> Iterator[tuple[Tensor, Tensor]]:
        """Tokens and mask of each, a batch of one."""
        for i in range(len(self.split)):
            sequences, label = self.split[i]
            tokens, keep, _ = collate([([s[: self.length] for s in sequences], label)], padding)
            yield tokens, keep


def choose(split: Split, examples: int, length: int | None) -> Chosen:
    """So many examples, drawn by SEED, in the order of the split; all where it has fewer. Raises
    UsageError for a split without examples."""
    if not len(split):
        raise UsageError("the validation split has no examples to analyze")
    drawn = torch.randperm(len(split), generator=generator(SEED, "analysis"))[:examples]
    members = np.sort(drawn.numpy())
    kept = replace(split, members=split.members[members], labels=split.labels[members])
    return Chosen(kept, length)
