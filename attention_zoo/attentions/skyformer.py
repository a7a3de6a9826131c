"""Skyformer: the Gaussian kernel between queries and keys by a Nyström approximation."""

import torch
from torch import Tensor

from attention_zoo.attention import WITHOUT_FLOAT16, Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import LandmarkOperator
from attention_zoo.parts.gaussian import gaussian, gaussian_matrix
from attention_zoo.parts.inverse import inverse_product, iterative_inverse
from attention_zoo.parts.tokens import matrix_of_real_tokens, ranks
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


@register_attention("skyformer")
class Skyformer(Attention):
    """Ā = φ(q, s) · (M + γI)⁻¹ · φ(s, k), M = φ(s, s), φ(x, y) = exp(−|x − y|² / (2√D)).

    φ between all 2n rows x of [q; k] is positive semidefinite, unlike its block between q and k
    (`kernelized`) that Ā approximates. s (R, D) are R of the 2n rows, at places drawn uniformly
    and shared by the heads; all of them where 2n ≤ R. The inverse is D^−½ Z D^−½ with
    D = diag((M + γI)1) and Z ≈ (D^−½ (M + γI) D^−½)⁻¹ by `iterations` steps of a third-order
    Newton iteration. Rows sum to anything, as those of the kernel.

    features: R (128). iterations: 6. ridge: γ (0.1). redraw: training steps between two draws
    (1: each has its own, as in the public code; 0: never again). Defaults are the Skyformer
    repository's, with its accumulation of 1.
    Departures from it: places are drawn without replacement from both halves together (the code
    draws R/2 of each with replacement, so that short examples repeat rows), and are fixed in
    eval; the start of the iteration is scaled for each example and head, not by the maximum over
    the batch; √D is that of the head, not of 32.
    Chen et al. 2021 (arXiv 2111.00035).
    """

    support = Support(
        paper="Chen et al. 2021",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="low rank",
        dynamic_length=False,
        dtypes=WITHOUT_FLOAT16,  # rows sum to as much as N
    )
    check_also = ("features=12", "features=5,iterations=3")
    turn: Tensor  # (2, max_len)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        features: int = 128,
        iterations: int = 6,
        ridge: float = 0.1,
        redraw: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if features < 1 or not 0 <= iterations <= 1_000 or ridge <= 0 or redraw < 0:
            raise UsageError(
                "skyformer needs features ≥ 1, 0 ≤ iterations ≤ 1,000, ridge > 0 and redraw ≥ 0, "
                f"not {features}, {iterations}, {ridge} and {redraw}"
            )
        self.features, self.iterations, self.ridge = features, iterations, ridge
        self.redraw = redraw
        # The turn of each query and key, by its place among the real tokens, to be sampled.
        self.register_buffer("turn", torch.empty(2, max_len, dtype=torch.int32))
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        self.turn.copy_(torch.randperm(self.turn.numel(), generator=generator).view(2, -1))

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> LandmarkOperator:
        (B, H, N, D), dtype = q.shape, q.dtype
        place, never = ranks(q, keep), self.turn.numel()
        turn = torch.where(place < 0, never, self.turn[:, place]).transpose(0, 1)  # (B, 2, N)
        first, rows = turn.flatten(1).topk(min(self.features, 2 * N), largest=False)  # (B, R)
        absent = (first == never)[:, None, :, None]
        hidden = absent if keep is None else absent | ~keep[:, None, None]
        with full_precision(q, k) as (q, k):
            q, k = q * D**-0.25, k * D**-0.25
            s = torch.cat([q, k], 2).gather(2, rows[:, None, :, None].expand(B, H, -1, D))
            left, columns = gaussian(q, s), gaussian(s, k, hidden)
            eye = torch.eye(s.shape[2], dtype=s.dtype, device=s.device)
            middle = gaussian(s, s, absent | absent.mT) + self.ridge * eye
            scale = middle.sum(-1, keepdim=True).rsqrt()  # (B, H, R, 1)
            scale = scale * scale.mT
            core = scale * iterative_inverse(middle * scale, self.iterations)
        return LandmarkOperator(left.to(dtype), core.to(dtype), columns.to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, min(self.features, 2 * inputs.N)
        return LandmarkOperator.cost(inputs, R).made_by(
            Product(N, D, R, 2 * B * H),
            Product(R, D, R, B * H),
            inverse_product(R, self.iterations, B * H),
        )

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        return matrix_of_real_tokens(self._unpadded, q, k, keep)

    def _unpadded(self, q: Tensor, k: Tensor) -> Tensor:  # (H, n, D) to (H, n, n)
        lifted = torch.cat([q, k], 1)  # (H, 2n, D)
        places = torch.cat([half[: q.shape[1]] for half in self.turn.unbind()]).argsort()[
            : self.features
        ]
        s = lifted[None, :, places]
        sketch, middle = gaussian_matrix(lifted[None], s)[0], gaussian_matrix(s, s)[0]
        middle = middle + self.ridge * torch.eye(len(places), dtype=q.dtype)
        roots = middle.sum(-1).sqrt()  # (H, R)
        middle = middle / torch.einsum("hr,hs->hrs", roots, roots)
        z = middle / torch.linalg.matrix_norm(middle, 1)[:, None, None]
        for _ in range(self.iterations):
            p = middle @ z
            z = z @ (13 * torch.eye(len(places), dtype=q.dtype) - 15 * p + 7 * p @ p - p @ p @ p)
            z = z / 4
        z = z / torch.einsum("hr,hs->hrs", roots, roots)
        n = q.shape[1]
        return sketch[:, :n] @ z @ sketch[:, n:].transpose(1, 2)
