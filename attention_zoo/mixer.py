"""What mixes tokens and is no operator on values: a module `(x, keep) -> x`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.inputs import require_floats, require_mask


class Mixer(nn.Module, ABC):
    """Base class of what takes the place of a whole self-attention layer: state spaces, Fourier
    mixing, recurrent networks, somebody's module with projections of its own.

    A subclass declares `support` and writes `mix`; with a `reference` from the paper's equations,
    values and gradients are held to that. There is no Ā, so filters, and remedies on values or
    projections, are refused. Its keyword options, `resample`, `auxiliary_loss`, `exceptions`,
    `check_also` and `redraw` are as an attention's; dim (C), max_len and, where its `__init__`
    names it, heads are given. `support.head_dims` and `rows_sum_to_one` say nothing of it.

    Raises UsageError for an x or a mask of another shape or dtype.
    """

    support: ClassVar[Support]
    exceptions: ClassVar[Mapping[str, str]] = {}
    check_also: ClassVar[tuple[str, ...]] = ()
    formula: ClassVar[tuple[str, Mapping[str, Any]]] = ("", {})
    redraw: int = 0

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
        if self.dim != C:
            raise UsageError(f"x must have width dim={self.dim}; got shape {tuple(x.shape)}")
        if self.max_len < N:
            raise UsageError(f"{N} tokens are more than max_len={self.max_len}")
        if not x.numel():
            return x + sum(weight.sum().to(x.dtype) for weight in self.parameters())
        if keep is None:
            return self.mix(x, None)
        real = keep[..., None]
        return torch.where(real, self.mix(torch.where(real, x, 0.0), keep), 0.0)

    @abstractmethod
    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """The result for x (B, N, C), which is zero at pads; its rows there do not matter."""

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor | None:
        """The result in float64 from the paper's equations, one step after another, sharing no code
        with `mix`; None where there is none to hold it to."""
        return None

    def resample(self, generator: torch.Generator) -> None:
        """Draws what is random anew from a CPU generator."""

    def auxiliary_loss(self) -> Tensor | None:
        """What the last forward pass in training adds to the loss, a scalar."""
        return None

    def cost(self, inputs: Inputs) -> Cost | None:
        """Its matrix products, all of them as `making`; None where it states none."""
        return None

    @classmethod
    def unsupported(cls, device: str, dtype: torch.dtype, head_dim: int) -> list[str]:
        """Reasons why it cannot run so; empty where it can."""
        return Attention.unsupported.__func__(cls, device, dtype, head_dim)  # type: ignore[attr-defined]
