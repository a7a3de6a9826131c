"""Sparse Transformer: a window and a stride of √N, or blocks and the last tokens of each."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.parts.exact import softmax_matrix
from attention_zoo.parts.patterns import PatternOperator, pattern_softmax
from attention_zoo.parts.windows import Chosen, Columns, Strided, Window, band
from attention_zoo.registry import register_attention
from attention_zoo.state import check_on_load


@register_attention("sparse")
class Sparse(Attention):
    """Ā = softmax(q kᵀ / √D) over some j, in both directions:

        pattern=strided:  |i − j| < ℓ or (i − j) mod ℓ = 0            N·(3ℓ + N/ℓ) weights
        pattern=fixed:    ⌊i/ℓ⌋ = ⌊j/ℓ⌋ or j mod ℓ ∈ {0, ℓ − c, …, ℓ − 1}   N·(ℓ + (c + 1)N/ℓ)

    stride: ℓ; 0 stands for ⌈√max_len⌉, the paper's ℓ close to √N. It follows max_len and not N, so
    that padding changes nothing. c: of `fixed` alone, how many tokens at the end of each block all
    others look at. Both sets are merged in one softmax (§5.1's single head for the union), and a
    token in both counts once. The paper's patterns are causal, for LRA's tasks they are not.
    The paper writes j mod ℓ ∈ {t, …, ℓ} with t = ℓ − c; that its ℓ is the next block's 0 is the
    LRA benchmark's reading (sparse_attention.py, Fixed2Pattern), taken here. The benchmark runs
    `pattern=fixed,stride=50,c=10` (train_utils.py), causal, with a dense mask.
    Child et al. 2019 (arXiv 1904.10509), §4.3.
    """

    support = Support(
        paper="Child et al. 2019",
        rows_sum_to_one=True,
        time="N√N",
        memory="N√N",
        family="sparse",
        dynamic_length=False,
        dropout="fixed",
    )
    formula: ClassVar = ("pattern", {"c": "fixed"})
    check_also = (
        "stride=4",
        "stride=1",
        "stride=40",
        "pattern=fixed,stride=5,c=2",
        "pattern=fixed,c=0",
    )

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        pattern: Literal["strided", "fixed"] = "strided",
        stride: int = 0,
        c: int = 10,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if min(stride, c) < 0:
            raise UsageError(
                f"sparse needs stride ≥ 0 (0 for ⌈√max_len⌉) and c ≥ 0, not {stride} and {c}"
            )
        self.pattern, self.c = pattern, c
        self.stride = stride or math.isqrt(max_len - 1) + 1
        check_on_load(self, stride=self.stride)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> PatternOperator:
        N, b = q.shape[2], self.stride
        parts: list[Columns]
        if self.pattern == "fixed":
            ends = self._ends(b, q.device)
            index = self._ends(N, q.device).nonzero().mT
            every = torch.ones_like(index, dtype=torch.bool)[None, None]
            parts = [Window(b, 0, ~ends), Chosen(b, index, every)]
        else:
            n = -(-N // b)
            strided = Strided(~torch.eye(n, dtype=torch.bool, device=q.device))
            parts = [Window(b, b - 1, band(b, b - 1, q.device)), strided]
        return pattern_softmax(q, k, keep, b, parts)

    def _ends(self, N: int, device: torch.device) -> Tensor:  # (N,) bool
        """Which tokens all others look at."""
        place = torch.arange(N, device=device) % self.stride
        return (place == 0) | (place >= self.stride - self.c)

    def cost(self, inputs: Inputs) -> Cost:
        N, b = inputs.N, self.stride
        columns = 3 * b - 2 - (-N // b)
        if self.pattern == "fixed":
            columns = b + sum(t % b == 0 or t % b >= b - self.c for t in range(N))
        return PatternOperator.cost(inputs, b, columns)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        i = torch.arange(q.shape[2], device=q.device)
        if self.pattern == "fixed":
            chosen = torch.tensor([0, *range(max(self.stride - self.c, 0), self.stride)])
            looks = (i[:, None] // self.stride == i // self.stride) | torch.isin(
                i % self.stride, chosen
            )
        else:
            distance = (i[:, None] - i).abs()
            looks = (distance < self.stride) | (distance % self.stride == 0)
        return softmax_matrix(q, k, keep, looks)
