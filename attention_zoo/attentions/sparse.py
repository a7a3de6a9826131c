"""Sparse Transformer: a window and a stride of √N."""

import math

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.parts.exact import softmax_matrix
from attention_zoo.parts.patterns import PatternOperator, pattern_softmax
from attention_zoo.parts.windows import Strided, Window, band
from attention_zoo.registry import register_attention
from attention_zoo.state import check_on_load


@register_attention("sparse")
class Sparse(Attention):
    """Ā = softmax(q kᵀ / √D) over j with |i − j| < ℓ or (i − j) mod ℓ = 0, the strided pattern in
    both directions; N·(3ℓ + N/ℓ) weights are held.

    stride: ℓ; 0 stands for ⌈√max_len⌉, the paper's ℓ close to √N. It follows max_len and not N, so
    that padding changes nothing. Both sets are merged in one softmax (§5.1's single head for the
    union), and i, which is in both, counts once. The paper's patterns are causal, for LRA's tasks
    they are not. The LRA benchmark runs the paper's "fixed" pattern, blocks of 50 with c = 10,
    causal, with a dense mask.
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
    check_also = ("stride=4", "stride=1", "stride=40")

    def __init__(self, *, heads: int, head_dim: int, max_len: int, stride: int = 0) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if stride < 0:
            raise UsageError(f"sparse needs stride ≥ 0 (0 for ⌈√max_len⌉), not {stride}")
        self.stride = stride or math.isqrt(max_len - 1) + 1
        check_on_load(self, stride=self.stride)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> PatternOperator:
        b = self.stride
        window = Window(b, b - 1, band(b, b - 1, q.device))
        n = -(-q.shape[2] // b)
        strided = Strided(~torch.eye(n, dtype=torch.bool, device=q.device))
        return pattern_softmax(q, k, keep, b, [window, strided])

    def cost(self, inputs: Inputs) -> Cost:
        b = self.stride
        return PatternOperator.cost(inputs, b, columns=3 * b - 2 - (-inputs.N // b))

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        i = torch.arange(q.shape[2], device=q.device)
        distance = (i[:, None] - i).abs()
        looks = (distance < self.stride) | (distance % self.stride == 0)
        return softmax_matrix(q, k, keep, looks)
