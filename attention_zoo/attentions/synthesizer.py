"""Synthesizer: attention weights that no pair of tokens decides."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product, linear_product
from attention_zoo.operators import AttentionOperator, DenseOperator
from attention_zoo.parts.feature_maps import normalised_rows
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


class SharedSoftmaxOperator(AttentionOperator):
    """softmax(C) over the real columns for one C (H, N, N) of the whole batch: what depends on an
    example is its normaliser alone, and E = exp(C − maxⱼ C) is held once."""

    def __init__(self, like: Tensor, scores: Tensor, keep: Tensor | None) -> None:
        super().__init__(like, keep)
        # Were all real columns 40 below a padded one, their weights would be alike.
        E = (scores - scores.detach().amax(-1, keepdim=True)).clamp(min=-40).exp()
        real = scores.new_ones(1, self.shape[-1]) if keep is None else keep.to(E.dtype)
        total = torch.einsum("hij,bj->bhi", E, real)
        self.E, self.share = E, 1 / torch.where(total > 0, total, 1.0)[..., None]

    def dropout(self, p: float) -> DenseOperator:
        matrix = self.E * self.share  # (B, H, N, N): each example has a mask of its own
        if self.keep is not None:
            matrix = matrix.masked_fill(~self.keep[:, None, None], 0)
        return DenseOperator(F.dropout(matrix.expand(self.shape).to(self.like.dtype), p), self.keep)

    def _apply(self, v: Tensor) -> Tensor:
        with full_precision(v) as (wide,):
            return (torch.einsum("hij,bhjd->bhid", self.E, wide) * self.share).to(v.dtype)


@register_attention("synthesizer")
class Synthesizer(Attention):
    """Ā = softmax(C) over the real tokens, with scores C that need neither q nor k; O(N²) memory.

    kind=random: C = R₁ R₂ᵀ, one for every input and held once for a batch, with learned R₁, R₂
    (H, max_len, rank) whose first N rows are used. They start with variance 1/√rank, which gives C
    variance 1, that of q·k/√D for unit normal q, k. rank=32 is that of the Long Range Arena code
    (the paper's is 8), which asks for this kind for Text alone, by settings that reach no model:
    what it runs on all tasks is softmax(q·k/√D + R) with a full R (H, max_len, max_len).

    kind=dense: token i makes its own row of scores from the layer's input xᵢ: Aᵢ = F_A(xᵢ) of width
    a and Bᵢ = F_B(xᵢ) of width b, both linear maps with a bias and per head, and
    C_ij = A_i⌊j/b⌋ · B_i(j mod b). Here a = ⌈√max_len⌉ and b = ⌈max_len/a⌉, which has the fewest
    parameters; `rank` is not used. The paper duplicates A and B to the length a·b and multiplies
    them, so arranged that no block repeats its values. Public code repeats both whole,
    A_i(j mod a) · B_i(j mod b): the same up to the order of the columns where a and b have no
    common factor, and with equal columns, which no weights can tell apart, where they have one.

    Tay et al. 2021 (arXiv 2005.00743), factorized random and factorized dense Synthesizer.
    """

    support = Support(
        paper="Tay et al. 2021",
        rows_sum_to_one=True,
        time="N²",
        memory="N²",
        family="without queries",
        dropout="fixed",
    )
    projections = ()
    needs_input = True  # of kind=dense alone, which its instances say
    check_also = ("kind=dense", "rank=5")

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        dim: int,
        kind: Literal["random", "dense"] = "random",
        rank: int = 32,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if rank < 1:
            raise UsageError(f"synthesizer needs rank ≥ 1, not {rank}")
        self.kind, self.needs_input, self.shares = kind, kind == "dense", kind == "random"
        if kind == "random":
            self.R1, self.R2 = (
                nn.Parameter(torch.randn(heads, max_len, rank) * rank**-0.25) for _ in range(2)
            )
        else:
            a = math.isqrt(max_len - 1) + 1
            self.F_A = nn.Linear(dim, heads * a)
            self.F_B = nn.Linear(dim, heads * -(-max_len // a))

    def operator(
        self, q: Tensor, k: Tensor, keep: Tensor | None, x: Tensor | None = None
    ) -> AttentionOperator:
        _, H, N, _ = q.shape
        if self.kind == "random":
            with full_precision(self.R1[:, :N], self.R2[:, :N]) as (R1, R2):
                return SharedSoftmaxOperator(q, R1 @ R2.mT, keep)
        with full_precision(self.F_A(x), self.F_B(x)) as made:
            coarse, fine = (y.unflatten(-1, (H, -1)).transpose(1, 2) for y in made)
            coarse = coarse[..., : -(-N // fine.shape[-1]), None]  # (B, H, N, ⌈N/b⌉, 1)
            scores = (coarse * fine[..., None, :]).flatten(-2)[..., :N]
            if keep is not None:
                scores = scores.masked_fill(~keep[:, None, None], lowest(scores))
            return DenseOperator(scores.softmax(-1).to(q.dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, _), dense = inputs.shape, DenseOperator.cost(inputs)
        if self.kind == "dense":
            given = B * N, inputs.input_grad
            return dense.made_by(*(linear_product(F, *given) for F in (self.F_A, self.F_B)))
        masks = 1 if inputs.lengths is None else B  # each has normalisers of its own
        sums = Product(N, N, 1, H * masks, backward=1)
        return dense.made_by(Product(N, self.R1.shape[-1], N, H), sums)

    def reference(
        self, q: Tensor, k: Tensor, keep: Tensor | None, x: Tensor | None = None
    ) -> Tensor:
        B, H, N, _ = q.shape
        if self.kind == "random":
            scores = torch.einsum("hir,hjr->hij", self.R1, self.R2)[:, :N, :N].expand(B, H, N, N)
        else:
            rows = [
                torch.einsum("bnc,hwc->bhnw", x, F.weight.view(H, -1, F.in_features))
                + F.bias.view(H, 1, -1)
                for F in (self.F_A, self.F_B)
            ]
            b = rows[1].shape[-1]
            tiled_A = rows[0].repeat_interleave(b, -1)  # each entry b times
            tiled_B = rows[1].repeat(1, 1, 1, rows[0].shape[-1])  # the whole vector a times
            scores = (tiled_A * tiled_B)[..., :N]
        return normalised_rows(scores.exp(), keep)
