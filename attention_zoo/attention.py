"""What an attention is: a module that makes an operator from queries and keys."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import AttentionOperator, zero_pads

Growth = Literal["N", "N log N", "N√N", "N²"]


@dataclass(frozen=True)
class Support:
    """What an attention declares of itself; contract tests hold it to that.

    rows_sum_to_one: Ā1 = 1 on real rows, so that powers of Ā keep their scale.
    time, memory: growth in N of a forward and backward pass.
    family: under which heading it is listed.
    causal: no row of Ā looks at a later token.
    head_dims: smallest, largest and step of the head widths it takes.
    """

    paper: str
    rows_sum_to_one: bool
    time: Growth
    memory: Growth
    family: str = "other"
    causal: bool = False
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtypes: tuple[torch.dtype, ...] = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    head_dims: tuple[int, int, int] = (1, 65536, 1)


class Attention(nn.Module, ABC):
    """Base class: `(q, k, keep=None, x=None) -> AttentionOperator`.

    A subclass declares `support` and writes `operator` (the fast path) and `reference` (Ā from
    the paper's equations), and may state a formula of its `cost`. Random draws are buffers that
    `resample` draws anew.

    projections: which of q and k it looks at. The layer makes no other, and one that stands for
    both is given as both.
    needs_input: `operator` and `reference` are also given the layer's input x (B, N, C), zero at
    pads. Its width C is given to an `__init__` that has `dim`.
    exceptions: checks of `attention_zoo.testing` that it cannot pass, each with the reason.
    check_also: options under which it is checked besides its defaults, such as blocks that are
    small beside a test's N.
    """

    support: ClassVar[Support]
    projections: ClassVar[tuple[Literal["q", "k"], ...]] = ("q", "k")
    needs_input: ClassVar[bool] = False
    exceptions: ClassVar[Mapping[str, str]] = {}
    check_also: ClassVar[tuple[str, ...]] = ()
    redraw: int = 0  # steps between two draws in training; 0 for an attention that draws nothing

    def __init__(self, *, heads: int, head_dim: int, max_len: int) -> None:
        super().__init__()
        self.heads, self.head_dim, self.max_len = heads, head_dim, max_len

    def forward(
        self,
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        keep: Tensor | None = None,  # (B, N) bool, True for a real token
        x: Tensor | None = None,  # (B, N, C), for attentions that need the layer's input
    ) -> AttentionOperator:
        B, H, N, D = q.shape
        if k.shape != q.shape:
            raise UsageError(
                f"q {tuple(q.shape)} and k {tuple(k.shape)} differ: powers of Ā need a square Ā, "
                "so cross-attention is not taken"
            )
        if (self.heads, self.head_dim) != (H, D):
            raise UsageError(
                f"made for {self.heads} heads of width {self.head_dim}, given {H} of {D}"
            )
        if N > self.max_len:
            raise UsageError(f"{N} tokens are more than max_len={self.max_len}")
        if keep is not None and (keep.shape != (B, N) or keep.dtype != torch.bool):
            raise UsageError(f"keep must be a bool tensor of shape {(B, N)}, True for real tokens")
        q, k = zero_pads(q, keep), zero_pads(k, keep)
        if self.needs_input and x is None:
            raise UsageError(f"{type(self).__name__} needs the layer's input x besides q and k")
        if self.needs_input and keep is not None:
            x = torch.where(keep[..., None], x, 0.0)
        operator = self.operator(q, k, keep, *([x] if self.needs_input else []))
        if not isinstance(operator, AttentionOperator):
            raise UsageError(
                f"{type(self).__name__}.operator returned a {type(operator).__name__}, no "
                "operator: make a DenseOperator, a FactoredOperator or a KernelOperator"
            )
        return operator

    @abstractmethod
    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        """Ā of q, k (B, H, N, D), whose padded positions are zero; their columns in Ā must be."""

    @abstractmethod
    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        """Ā (B, H, N, N) in plain torch from the paper's equations, sharing no code with
        `operator`. Rows of padded positions are not compared."""

    def resample(self, generator: torch.Generator) -> None:
        """Draws random features, hashes, … anew from a CPU generator."""

    def finish(self, y: Tensor) -> Tensor:
        """What the paper does to the result after Ā (or a filter of it) was applied, where that is
        not linear; (B, H, N, D) -> (B, H, N, D)."""
        return y

    def auxiliary_loss(self) -> Tensor | None:
        """What the last forward pass in training adds to the loss, a scalar; training adds the mean
        over the layers."""
        return None

    def cost(self, inputs: Inputs) -> Cost | None:
        """The matrix products that make its operator and apply it, by its formula; None where it
        states none."""
        return None

    @classmethod
    def unsupported(cls, device: str, dtype: torch.dtype, head_dim: int) -> list[str]:
        """Reasons why this attention cannot run so; empty where it can."""
        support, reasons = cls.support, []
        if device not in support.devices:
            reasons.append(f"it runs on {', '.join(support.devices)}, not on {device}")
        if dtype not in support.dtypes:
            known = ", ".join(str(known).removeprefix("torch.") for known in support.dtypes)
            reasons.append(f"its dtypes are {known}, not {str(dtype).removeprefix('torch.')}")
        least, most, step = support.head_dims
        if not least <= head_dim <= most or head_dim % step:
            reasons.append(
                f"its head widths are multiples of {step} in {least}–{most}, not {head_dim}"
            )
        return reasons
