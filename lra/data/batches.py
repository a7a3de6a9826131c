"""Batches, and which examples stand in each."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from attention_zoo import UsageError
from lra.data.store import Split
from lra.seeds import generator

# tokens (B, N) long, keep (B, N) bool, labels (B,) long; (B, 2, N) where examples are pairs
Batch = tuple[Tensor, Tensor, Tensor]
MULTIPLE = 16  # lengths are padded to it: kernels are slower at odd ones


@dataclass(frozen=True)
class Padding:
    """How sequences are filled up to a batch.

    max_len: the longest there can be. token: what stands after a sequence. masked: a token that
    counts as padding wherever it stands, None for none.
    """

    max_len: int
    token: int = 0
    masked: int | None = None


def require_examples(size: int, batch: int, bucket: int = 0) -> None:
    """Raises UsageError where one batch of a pass over `size` examples would hold one twice."""
    shared = batch * max(1, bucket)
    if shared > size:
        together = f" × training.bucket={bucket}" if bucket else ""
        least = f"training.bucket={size // batch}" if batch <= size else f"training.batch={size}"
        raise UsageError(
            f"training.batch={batch}{together} is more than the {size:,} examples of the training "
            f"split: use --set {least} or less"
        )


@dataclass(eq=False)
class Stream(Sampler[list[int]]):
    """`steps` training batches from an endless sequence of shuffled passes over the data.

    Which examples stand in a step is a function of seed, batch, bucket and step alone: a batch may
    straddle two passes, none is short, none is dropped. Iteration begins at step `start`, and
    yields every `ranks`th member of each batch from the `rank`th on. Raises UsageError for a batch
    or a bucket of more than `size`.

    lengths: where given, every `bucket` batches share their examples out by length, and then stand
    in a random order.
    """

    size: int
    batch: int
    steps: int
    seed: int
    _: KW_ONLY
    start: int = 0
    rank: int = 0
    ranks: int = 1
    bucket: int = 0
    lengths: np.ndarray | None = None  # (size,)

    def __post_init__(self) -> None:
        require_examples(self.size, self.batch, self.bucket)
        self._pass: tuple[int, list[int]] = (-1, [])

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        window, batches = -1, []
        for step in range(self.start, self.steps):
            number, place = divmod(step, max(1, self.bucket))
            if number != window:
                window, batches = number, self._window(number)
            yield batches[place][self.rank :: self.ranks]

    def _window(self, number: int) -> list[list[int]]:
        """The batches that share their examples out: one without a bucket."""
        count = max(1, self.bucket)
        first = number * count * self.batch
        members = [self._member(position) for position in range(first, first + count * self.batch)]
        if not self.bucket:
            return [members]
        members = np.array(members)
        members = members[np.argsort(self.lengths[members], kind="stable")]
        order = torch.randperm(count, generator=generator(self.seed, "bucket", number)).tolist()
        return [members[i * self.batch : (i + 1) * self.batch].tolist() for i in order]

    def _member(self, position: int) -> int:
        number, place = divmod(position, self.size)
        if number != self._pass[0]:
            order = torch.randperm(self.size, generator=generator(self.seed, "order", number))
            self._pass = number, order.tolist()
        return self._pass[1][place]


def collate(examples: list[tuple[list[np.ndarray], int]], padding: Padding) -> Batch:
    """Fills up to the longest member, rounded up to MULTIPLE, at most max_len."""
    sequences = [sequence for members, _ in examples for sequence in members]
    lengths = np.array([len(sequence) for sequence in sequences])
    N = min(-(-int(lengths.max()) // MULTIPLE) * MULTIPLE, padding.max_len)
    padded = np.full((len(sequences), N), padding.token, dtype=np.int64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    keep = np.arange(N) < lengths[:, None]
    if padding.masked is not None:
        keep &= padded != padding.masked
    tokens, keep = torch.from_numpy(padded), torch.from_numpy(keep)
    if len(sequences) > len(examples):
        tokens, keep = (x.unflatten(0, (len(examples), -1)) for x in (tokens, keep))
    return tokens, keep, torch.tensor([label for _, label in examples])


def training_batches(split: Split, stream: Stream, padding: Padding) -> DataLoader:
    return DataLoader(split, batch_sampler=stream, collate_fn=lambda e: collate(e, padding))


def evaluation_batches(
    split: Split,
    batch: int,
    padding: Padding,
    *,
    micro: int | None = None,
    drop_last: bool = False,
    rank: int = 0,
    ranks: int = 1,
) -> DataLoader:
    """Each example of a split once, the longest first: little is padded, and what memory it takes
    shows in the first batch. On this rank every `ranks`th.

    micro: examples at a time, `batch` where None. drop_last: without the examples that fill no
    whole batch.
    """
    count = len(split) // batch * batch if drop_last else len(split)
    by_length = np.argsort(-split.lengths[:count].max(1), kind="stable")
    members = by_length[rank::ranks].tolist()
    size = max(1, (micro or batch) // ranks)
    groups = [members[i : i + size] for i in range(0, len(members), size)]
    return DataLoader(split, batch_sampler=groups, collate_fn=lambda e: collate(e, padding))
