"""BigBird: a window of blocks, global blocks and random blocks."""

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
from attention_zoo.parts.windows import Chosen, ChosenBlocks, Columns, Window, places
from attention_zoo.registry import register_attention


@register_attention("bigbird")
class BigBird(Attention):
    """Ā = softmax(q kᵀ / √D) over the tokens of some blocks of b: block i looks at i − 1, i, i + 1,
    at the global blocks 0 and l and at r random ones, and blocks 0 and l look at all. Block l holds
    the example's last real token; blocks are counted from position 0, whatever the mask.
    N·(5 + r)·b and 2b·N weights are held.

    block: b, 64, and random: r, 3, as in the LRA benchmark and in Skyformer's runs. redraw: steps
    of training between two draws; 0 as in the benchmark, whose blocks are drawn once.
    A draw u (H, blocks, r), whole numbers below 2³¹, stands for r different ones (by Floyd's
    algorithm) of those blocks that are neither global nor in the window, or for all of them where
    there are fewer. So none counts twice, and padding further changes nothing.
    Public code departs: the last global block is that of the padded length. The benchmark adds 1 to
    b zero tokens there, which it does not mask, and draws from the first 1,024 tokens alone;
    transformers at most lengths from the first 2r + 5 blocks, and in eval it draws nothing, so that
    block 0 counts r + 1 times. Skyformer's copy draws there, too; at 1,024 tokens the last rows may
    draw a block of their window, which then counts twice.
    Zaheer et al. 2020 (arXiv 2007.14062), §2, in its ITC form.
    """

    support = Support(
        paper="Zaheer et al. 2020",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="sparse",
        dynamic_length=False,
        dropout="fixed",
    )
    check_also = ("block=4", "block=2,random=5", "block=3,random=0", "block=1,random=1")
    draws: Tensor  # (H, blocks, r)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        block: int = 64,
        random: int = 3,
        redraw: int = 0,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if block < 1 or random < 0 or redraw < 0:
            raise UsageError(
                "bigbird needs block ≥ 1, random ≥ 0 and redraw ≥ 0, "
                f"not {block}, {random} and {redraw}"
            )
        self.block, self.redraw = block, redraw
        draws = torch.empty(heads, -(-max_len // block), random, dtype=torch.long)
        self.register_buffer("draws", draws)
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        self.draws.copy_(torch.randint(2**31, self.draws.shape, generator=generator))

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        N, b = q.shape[2], self.block
        token = torch.arange(N, device=q.device)
        last = token[None, -1:] if keep is None else (keep * token).amax(-1, keepdim=True)
        last = last // b  # (B or 1, 1): l

        within = torch.arange(b, device=q.device).expand(last.shape[0], b)
        index = torch.cat([within, last * b + within], 1)  # (B or 1, 2b)
        twice = torch.cat([within < 0, (last == 0).expand_as(within)], 1)  # l is 0
        there = ((index < N) & ~twice)[:, None, None]
        index = index.clamp(max=N - 1)

        end = last[:, :, None, None, None]
        number = places(N, b, b, q.device).div(b, rounding_mode="floor")  # (n, 1, 3b)
        parts: list[Columns] = [
            Window(b, b, (number > 0) & (number < end)),
            Chosen(b, index, there),
        ]
        i = torch.arange(number.shape[0], device=q.device)
        if self.draws.shape[-1]:
            blocks = self._random_blocks(i, last)  # (B or 1, H, n, r)
            drawn = (blocks >= 0).repeat_interleave(b, -1)[..., None, :]
            parts.append(ChosenBlocks(blocks.clamp(min=0), drawn))
        i = i[:, None, None]
        local = pattern_softmax(q, k, keep, b, parts, rows=(i > 0) & (i != end))
        return SumOperator(local, full_rows(q, k, keep, index, there))

    def cost(self, inputs: Inputs) -> Cost:
        b, random = self.block, self.draws.shape[-1]
        rows = GlobalRowsOperator.cost(inputs, G=2 * b)
        return PatternOperator.cost(inputs, b, columns=(5 + random) * b) + rows

    def _random_blocks(
        self,
        i: Tensor,  # (n,)
        last: Tensor,  # (B or 1, 1)
    ) -> Tensor:  # (B or 1, H, n, r) long, −1 where there is none
        """The free blocks of i are 1 … i − 2 and i + 2 … l − 1."""
        before = (i - 2).clamp(min=0)
        free = (before + (last - i - 2).clamp(min=0))[:, None]  # (B or 1, 1, n)
        draws = self.draws[:, : i.shape[0]]
        picked = draws.new_empty(last.shape[0], *draws.shape[:2], 0)
        for j, draw in enumerate(draws.unbind(-1)):
            top = free - draws.shape[-1] + j
            place = draw * (top + 1) >> 31  # in 0 … top
            place = torch.where((picked == place[..., None]).any(-1), top, place)
            place = torch.where(top < 0, -1, place)
            picked = torch.cat([picked, place[..., None]], -1)
        before, i = before[:, None], i[:, None]
        block = torch.where(picked < before, picked + 1, picked - before + i + 2)
        return torch.where(picked < 0, -1, block)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, H, N, _ = q.shape
        real = q.new_ones(B, N, dtype=torch.bool) if keep is None else keep
        looks = q.new_zeros(B, H, N, N, dtype=torch.bool)
        for e in range(B):
            last = max([0, *(t // self.block for t in range(N) if real[e, t])])
            for h in range(H):
                for i in range(last + 1):
                    rows = looks[e, h, i * self.block : (i + 1) * self.block]
                    for j in self._blocks_of(self.draws[h, i].tolist(), i, last):
                        rows[:, j * self.block : (j + 1) * self.block] = True
        return softmax_matrix(q, k, keep, looks)

    @staticmethod
    def _blocks_of(draws: list[int], i: int, last: int) -> set[int]:
        blocks = set(range(last + 1))
        if i in (0, last):
            return blocks
        fixed = {0, i - 1, i, i + 1, last}
        free, chosen = sorted(blocks - fixed), set()
        for j, draw in enumerate(draws):
            top = len(free) - len(draws) + j
            if top >= 0:
                place = draw * (top + 1) // 2**31
                chosen.add(top if place in chosen else place)
        return fixed | {free[place] for place in chosen}
