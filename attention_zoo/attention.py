"""What an attention is: a module that makes an operator from queries and keys."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.inputs import require_dtype, require_floats, require_mask, spelled
from attention_zoo.operators import AttentionOperator, DecodingCache, EmptyOperator, zero_pads
from attention_zoo.packing import Packing

WITHOUT_FLOAT16 = (torch.float64, torch.float32, torch.bfloat16)
Growth = Literal["N", "N log N", "N√N", "N²"]


@dataclass(frozen=True)
class Support:
    """What an attention declares of itself; contract tests hold it to that.

    rows_sum_to_one: Ā1 = 1 on real rows, so that powers of Ā keep their scale.
    time, memory: growth in N of a forward and backward pass.
    family: under which heading it is listed.
    causal: whether a row of Ā looks at no later token: `never`, `optional` where `build_attention`
        can be asked for that, `always`.
    dtypes: in which results and powers of Ā are finite.
    head_dims: smallest, largest and step of the head widths it takes.
    second_derivatives: derivatives of its gradients exist, and forward-mode ones; where not, asking
        for one raises.
    vmap: torch.func.vmap goes through it; where not, it raises.
    dynamic_length: torch.export takes it with a length that varies; not where it works on blocks of
        tokens, say. The batch size may vary in any case.
    surrogate_gradient: its gradient by q and k is not the derivative of what it computes but what
        its paper trains with, which its docstring states.
    dropout: of the entries of Ā in training (Vaswani et al. 2017, §5.4). `fixed`: its operators
    draw one mask and keep it, whatever is done with them; `redrawn`: a fused kernel draws another
    at each application, so that filters are refused; `none`: it is not supported.
    """

    paper: str
    time: Growth
    memory: Growth
    rows_sum_to_one: bool = False
    family: str = "other"
    causal: Literal["never", "optional", "always"] = "never"
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtypes: tuple[torch.dtype, ...] = (*WITHOUT_FLOAT16, torch.float16)
    head_dims: tuple[int, int, int] = (1, 65536, 1)
    second_derivatives: bool = True
    vmap: bool = True
    dynamic_length: bool = True
    surrogate_gradient: bool = False
    dropout: Literal["none", "fixed", "redrawn"] = "none"


class Attention(nn.Module, ABC):
    """Base class: `(q, k, keep=None, x=None) -> AttentionOperator`.

    A subclass declares `support` and writes `operator` (the fast path) and `reference` (Ā from
    the paper's equations), and may state a formula of its `cost`. Random draws are buffers that
    `resample` draws anew; numbers that follow max_len go through `check_on_load`.

    Where `causal` is optional, `operator` and `reference` follow `self.causal`. One whose
    `operator` also has a parameter `cache` can decode: given one, q and k are those of new tokens,
    and it returns their rows of Ā.

    `operator` is called once for each group of a packed batch: an attention that keeps something of
    a whole batch is not one of these.
    Without tokens or examples (N = 0, B = 0) results and gradients are empty; `operator` is not
    called. Raises UsageError for other shapes, dtypes and masks than those below.

    projections: which of q and k it looks at. The layer makes no other, and one that stands for
    both is given as both.
    needs_input: `operator` and `reference` are also given the layer's input x (B, N, C), zero at
    pads. Its width C is given to an `__init__` that has `dim`.
    exceptions: checks of `attention_zoo.testing` that it cannot pass, each with the reason.
    formula: the option that chooses its formula, and its value by options that are of one formula
    alone: what a protocol states for one formula is not meant for another.
    check_also: options under which it is checked besides its defaults, such as blocks that are
    small beside a test's N.
    """

    support: ClassVar[Support]
    projections: ClassVar[tuple[Literal["q", "k"], ...]] = ("q", "k")
    needs_input: bool = False
    exceptions: ClassVar[Mapping[str, str]] = {}
    formula: ClassVar[tuple[str, Mapping[str, Any]]] = ("", {})
    check_also: ClassVar[tuple[str, ...]] = ()
    shares: bool = False  # makes once for a batch what would be made again for each example alone
    redraw: int = 0  # steps between two draws in training; 0 for an attention that draws nothing
    attention_dropout: float = 0.0  # of the entries of Ā in training; `build_attention` sets it
    causal: bool = False  # no row looks at a later token; `build_attention` sets it

    def __init__(self, *, heads: int, head_dim: int, max_len: int) -> None:
        super().__init__()
        if min(heads, head_dim, max_len) < 1:
            raise UsageError(
                f"heads, head_dim and max_len must be positive; got {heads}, {head_dim}, {max_len}"
            )
        self.heads, self.head_dim, self.max_len = heads, head_dim, max_len

    def forward(
        self,
        q: Tensor,  # (B, H, N, D)
        k: Tensor,  # (B, H, N, D)
        keep: Tensor | Packing | None = None,  # (B, N) bool, True for a real token
        x: Tensor | None = None,  # (B, N, C), for attentions that need the layer's input
        cache: DecodingCache | None = None,  # of the tokens before these
    ) -> AttentionOperator:
        require_floats("B, H, N, D", q=q, k=k)
        require_dtype(q.dtype, "q", k=k)
        B, H, N, D = q.shape
        if k.shape != q.shape:
            raise UsageError(
                f"q {tuple(q.shape)} and k {tuple(k.shape)} differ: powers of Ā need a square Ā, "
                "so cross-attention is not supported"
            )
        if (self.heads, self.head_dim) != (H, D):
            raise UsageError(
                f"expected heads={self.heads}, head_dim={self.head_dim}; got heads={H}, "
                f"head_dim={D}"
            )
        longest = max(keep.lengths) if isinstance(keep, Packing) else N
        if cache is not None:
            self._require_decoding(keep)
            longest += cache.length
        if longest > self.max_len:
            raise UsageError(f"{longest} tokens are more than max_len={self.max_len}")
        if isinstance(keep, Packing):
            operator = self._dropped(self.packed(q, k, keep))
            operator.lengths, operator.causal = keep.lengths, self.causal
            return operator
        require_mask(keep, B, N)
        q, k = zero_pads(q, keep), zero_pads(k, keep)
        given = []
        if self.needs_input:
            if x is None:
                raise UsageError(f"{type(self).__name__} needs the layer's input x besides q and k")
            require_floats("B, N, C", x=x)
            if x.shape[:2] != (B, N):
                raise UsageError(f"x must have shape ({B}, {N}, C); got {tuple(x.shape)}")
            given = [x if keep is None else torch.where(keep[..., None], x, 0.0)]
        if B == 0 or N == 0:
            return EmptyOperator(q, keep, (q, k, *given, *self.parameters()))
        if cache is None:
            operator = self.operator(q, k, keep, *given)
        else:
            cache.begin(N)
            operator = self.operator(q, k, keep, cache=cache)  # type: ignore[call-arg]
        if not isinstance(operator, AttentionOperator):
            raise UsageError(
                f"{type(self).__name__}.operator must return an AttentionOperator such as "
                f"DenseOperator, FactoredOperator or KernelOperator, not {type(operator).__name__}"
            )
        operator = self._dropped(operator)
        operator.causal, operator.cache = self.causal, cache
        return operator

    @property
    def decodes(self) -> bool:
        """Whether its causal form takes a cache."""
        return "cache" in inspect.signature(self.operator).parameters

    def _require_decoding(self, keep: Tensor | Packing | None) -> None:
        name = type(self).__name__
        if not self.causal:
            raise UsageError(f"{name} decodes with causal=True alone: later tokens change its rows")
        if not self.decodes:
            raise UnsupportedError(f"{name} does not support decoding with a cache")
        if isinstance(keep, Packing):
            raise UsageError("a packed batch cannot be decoded: pad it")

    def make_causal(self) -> None:
        """From now on no row looks at a later token. Raises UnsupportedError where it cannot."""
        if self.support.causal == "never":
            raise UnsupportedError(
                f"{type(self).__name__} has no causal form: its rows look both ways"
            )
        self.causal = True

    def _dropped(self, operator: AttentionOperator) -> AttentionOperator:
        if self.training and self.attention_dropout:
            return operator.dropout(self.attention_dropout)
        return operator

    def packs(self, x: Tensor) -> bool:
        """Whether a kernel takes a packed batch of x's device and dtype whole, by `packed`; else
        its examples go through `operator`, on a GPU padded, on a CPU one by one."""
        return False

    def packed(self, q: Tensor, k: Tensor, packing: Packing) -> AttentionOperator:
        """The block-diagonal Ā of q, k (1, H, T, D), a block an example."""
        raise NotImplementedError

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
            known = ", ".join(map(spelled, support.dtypes))
            reasons.append(f"its dtypes are {known}, not {spelled(dtype)}")
        least, most, step = support.head_dims
        if not least <= head_dim <= most or head_dim % step:
            reasons.append(
                f"its head widths are multiples of {step} in {least}–{most}, not {head_dim}"
            )
        return reasons
