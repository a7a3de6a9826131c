"""Everything random is a function of (seed, purpose, …): no generator state is ever carried."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, the same on every machine."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> "torch.Generator":
    """A CPU generator seeded by `derive`."""
    import torch  # here, since tasks draw by numpy and must not wait for it

    return torch.Generator().manual_seed(derive(seed, *purpose))
