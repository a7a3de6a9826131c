"""Longformer: a sliding window and global tokens."""

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.operators import AttentionOperator, SumOperator
from attention_zoo.parts.exact import softmax_matrix
from attention_zoo.parts.patterns import (
    GlobalRowsOperator,
    PatternOperator,
    full_rows,
    pattern_softmax,
)
from attention_zoo.parts.windows import Chosen, Window, band, places
from attention_zoo.registry import register_attention


@register_attention("longformer")
class Longformer(Attention):
    """Ā = softmax(q kᵀ / √D) over j with |i − j| ≤ w/2 or i < G or j < G: a sliding window, and G
    global tokens that look at all and are looked at by all. N·(b + w + G) and G·N weights are held,
    b = w/2 between 16 and 64.

    window: w, ½w tokens on each side besides the token itself, as §3.1 has it; 64 from the LRA runs
    of MRA attention. globals: G, the first G positions, of which a padded one has no weight, as any
    other; 1 from those runs too. The LRA benchmark has no global tokens and takes 512, but looks
    from i − 255 to i + 256, a token less.
    One softmax over window and global columns, none counted twice. The paper gives global tokens
    projections of their own, which are no matter of Ā(q, k) and would add parameters; the runs
    above tie them to those of q, k and v, which gives this Ā. Its dilated windows are left out.
    Beltagy et al. 2020 (arXiv 2004.05150), §3.1.
    """

    support = Support(
        paper="Beltagy et al. 2020",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="sparse",
        dynamic_length=False,
        dropout="fixed",
    )
    check_also = ("window=4", "window=6,globals=3", "window=2,globals=0", "window=40,globals=20")

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        window: int = 64,
        globals: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if window < 2 or window % 2 or globals < 0:
            raise UsageError(
                f"longformer needs an even window ≥ 2 and globals ≥ 0, not {window} and {globals}"
            )
        self.reach, self.globals = window // 2, globals
        # Smaller blocks hold fewer weights outside the window, larger ones make larger products.
        self.block = min(max(self.reach, 16), 64)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        N, b = q.shape[2], self.block
        inside = band(b, self.reach, q.device)  # (b, c)
        if not self.globals:
            return pattern_softmax(q, k, keep, b, [Window(b, self.reach, inside)])
        columns = places(N, b, self.reach, q.device)  # (n, 1, c)
        window = Window(b, self.reach, inside & (columns >= self.globals))
        index = torch.arange(min(self.globals, N), device=q.device)[None]
        every = torch.ones_like(index, dtype=torch.bool)[None, None]
        rows = places(N, b, 0, q.device).mT >= self.globals  # (n, b, 1)
        local = pattern_softmax(
            q, k, keep, b, [window, Chosen(b, index, every)], rows=rows[None, None]
        )
        return SumOperator(local, full_rows(q, k, keep, index, every))

    def cost(self, inputs: Inputs) -> Cost:
        b, G = self.block, min(self.globals, inputs.N)
        local = PatternOperator.cost(inputs, b, columns=b + 2 * self.reach + G)
        return local + GlobalRowsOperator.cost(inputs, G) if G else local

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        i = torch.arange(q.shape[2], device=q.device)
        looks = (i[:, None] - i).abs() <= self.reach
        looks = looks | (i < self.globals) | (i[:, None] < self.globals)
        return softmax_matrix(q, k, keep, looks)
