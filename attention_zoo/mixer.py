"""What mixes tokens and is no operator on values: a module `(x, keep) -> x`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from attention_zoo.attention import Support
from attention_zoo.errors import UsageError
from attention_zoo.inputs import require_floats, require_mask

MIXERS: dict[str, type["Mixer"]] = {}
M = TypeVar("M", bound=type["Mixer"])


class Mixer(nn.Module, ABC):
    """Base class of what takes the place of a self-attention layer, projections included.

    A subclass declares `support`, and writes `mix` and, from the paper's equations, `reference`,
    which shares no code with it. check_also: options under which it is checked besides its
    defaults.
    """

    support: ClassVar[Support]
    check_also: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, dim: int, max_len: int) -> None:
        super().__init__()
        if min(dim, max_len) < 1:
            raise UsageError(f"dim and max_len must be positive; got {dim} and {max_len}")
        self.dim, self.max_len = dim, max_len

    def forward(
        self,
        x: Tensor,  # (B, N, C)
        keep: Tensor | None = None,  # (B, N) bool, True for a real token
    ) -> Tensor:  # (B, N, C), zero at pads
        require_floats("B, N, C", x=x)
        B, N, C = x.shape
        require_mask(keep, B, N)
        if self.dim != C or self.max_len < N:
            raise UsageError(
                f"expected width {self.dim} and at most {self.max_len} tokens; got {tuple(x.shape)}"
            )
        if not x.numel():
            return x
        if keep is None:
            return self.mix(x, None)
        real = keep[..., None]
        return torch.where(real, self.mix(torch.where(real, x, 0.0), keep), 0.0)

    @abstractmethod
    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """The result for x (B, N, C), which is zero at pads; its rows there do not matter."""

    @abstractmethod
    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """The result in float64 from the paper's equations, one step after another."""


def register_mixer(name: str) -> Callable[[M], M]:
    def register(cls: M) -> M:
        if name in MIXERS:
            raise UsageError(f"a mixer named {name!r} is already registered")
        MIXERS[name] = cls
        return cls

    return register
