"""Linformer: keys and values projected along the tokens to a fixed number of rows."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, FactoredOperator, zero_pads
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention


class ProjectedOperator(FactoredOperator):
    """Ā = left·F with one F for the batch: v is masked in the place of F's columns, which would
    take a copy of F for every example (and head, where they share it)."""

    def __init__(
        self,
        left: Tensor,  # (B, H, N, R)
        F: Tensor,  # (R, N), or (H, R, N)
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        AttentionOperator.__init__(self, left, keep)
        self.left, self.F = left, F

    @property
    def right(self) -> Tensor:
        right = self.F.expand(*self.shape[:2], -1, -1)
        return right if self.keep is None else right * self.keep[:, None, None]

    def _compress(self, x: Tensor) -> Tensor:
        return _project(self.F, zero_pads(x, self.keep))


def _project(w: Tensor, x: Tensor) -> Tensor:
    """w (R, N) or (H, R, N) times x (B, H, N, D) as one product (a head), so that w's gradient is
    one as well."""
    return torch.einsum("rn,bhnd->bhrd" if w.dim() == 2 else "hrn,bhnd->bhrd", w, x)


@register_attention("linformer")
class Linformer(Attention):
    """Ā = softmax(q (E k)ᵀ / √D) · F, with learned E and F (R, max_len) shared by the heads.

    rank: R (256, the Nyströmformer repository's). share: `kv` takes F = E (there and in Google's
    LRA), `heads` an F of its own. per_head: E and F (H, R, max_len), each head with its own, as in
    the Nyströmformer and Skyformer repositories. A token meets the column of its position; columns
    of pads are zero in F and meet k = 0 in E. Rows sum to anything: F is not normalised.
    The softmax runs over the R rows of E k, for any length.
    Departures from public code: weights are drawn from N(0, 0.02²) as in those repositories, but
    each layer has its own and trains it: Nyströmformer's has one E for all layers, Skyformer's E is
    never trained, being a moved copy that is no parameter. Google's starts Xavier-uniform and takes
    padding for tokens.
    Wang et al. 2020 (arXiv 2006.04768), eq. 7.
    """

    support = Support(
        paper="Wang et al. 2020",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="low rank",
    )
    check_also = ("rank=4", "per_head=true,rank=12,share=heads")

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        rank: int = 256,
        share: Literal["kv", "heads"] = "kv",
        per_head: bool = False,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if rank < 1:
            raise UsageError(f"linformer needs rank ≥ 1, not {rank}")
        shape = (heads, rank, max_len) if per_head else (rank, max_len)
        self.E = nn.Parameter(0.02 * torch.randn(shape))
        self.F = nn.Parameter(0.02 * torch.randn(shape)) if share == "heads" else None

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> FactoredOperator:
        dtype, N = q.dtype, q.shape[2]
        F = self.E if self.F is None else self.F
        with full_precision(q, k, self.E[..., :N]) as (q, k, E):
            keys = _project(E, k)
            left = ((q * self.head_dim**-0.5) @ keys.mT).softmax(-1)
        return ProjectedOperator(left.to(dtype), F[..., :N].to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, self.E.shape[-2]
        keys, scores = Product(R, N, D, B * H), Product(N, D, R, B * H)
        return ProjectedOperator.cost(inputs, R).made_by(keys, scores)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        real = torch.ones_like(q[:, 0, :, 0]) if keep is None else keep
        real = real[:, None, None]
        E = self.E[..., : q.shape[2]].expand(q.shape[1], -1, -1) * real  # (B, H, R, N)
        F = E if self.F is None else self.F[..., : q.shape[2]] * real
        keys = torch.einsum("bhrj,bhjd->bhrd", E, k)
        logits = torch.einsum("bhid,bhrd->bhir", q, keys) / math.sqrt(q.shape[-1])
        return torch.einsum("bhir,bhrj->bhij", logits.softmax(-1), F.expand_as(E))
