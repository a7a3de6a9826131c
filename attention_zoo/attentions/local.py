"""Local attention: blocks of tokens that look at themselves."""

import torch
from torch import Tensor

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs
from attention_zoo.parts.exact import softmax_matrix
from attention_zoo.parts.patterns import PatternOperator, pattern_softmax
from attention_zoo.parts.windows import Window
from attention_zoo.registry import register_attention


@register_attention("local")
class Local(Attention):
    """Ā = softmax(q kᵀ / √D) over j with |⌊i/b⌋ − ⌊j/b⌋| ≤ p: each block of b tokens looks at
    itself and at p blocks on either side; N·(2p+1)·b weights are held.

    block: b, 50 as in the LRA benchmark (which takes 64 for its images). neighbours: p; 0 is the
    benchmark's and Liu et al.'s, 1 gives a query block a larger memory block as Parmar et al. do.
    Blocks are counted from position 0, whatever the mask; the last may be shorter.
    The benchmark's own code folds the sequence the other way round, so that its "blocks" are the
    tokens of equal i mod (⌊N/b⌋ + 1), and which they are depends on the padding; the 1 to b zero
    tokens that it adds at the end are not masked. Here they are what its paper says.
    Liu et al. 2018 (arXiv 1801.10198); Parmar et al. 2018 (arXiv 1802.05751); a baseline of Tay et
    al. 2021 (arXiv 2011.04006).
    """

    support = Support(
        paper="Liu et al. 2018",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="sparse",
        dynamic_length=False,
        dropout="fixed",
    )
    check_also = ("block=4", "block=4,neighbours=1", "block=3,neighbours=2")

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        block: int = 50,
        neighbours: int = 0,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if block < 1 or neighbours < 0:
            raise UsageError(
                f"local needs block ≥ 1 and neighbours ≥ 0, not {block} and {neighbours}"
            )
        self.block, self.neighbours = block, neighbours

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> PatternOperator:
        seen = torch.ones((), dtype=torch.bool, device=q.device)
        window = Window(self.block, self.neighbours * self.block, seen)
        return pattern_softmax(q, k, keep, self.block, [window])

    def cost(self, inputs: Inputs) -> Cost:
        b = self.block
        return PatternOperator.cost(inputs, b, columns=(1 + 2 * self.neighbours) * b)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        number = torch.arange(q.shape[2], device=q.device) // self.block
        looks = (number[:, None] - number).abs() <= self.neighbours
        return softmax_matrix(q, k, keep, looks)
