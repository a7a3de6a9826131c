"""Hrrformer: values weighed by how well a superposition of bound pairs gives them back."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import Support
from attention_zoo.errors import UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_mixer


@register_mixer("hrr")
class HRR(Mixer):
    """y = W_o (w ⊙ v), with ⊛ circular convolution over the D features of a head and

        β = Σₜ kₜ ⊛ vₜ,  v̂ₜ = β ⊛ qₜ†,  w = softmax over the tokens of cos(vₜ, v̂ₜ)

    q† has the entries q₋ᵢ (indices modulo D), Plate's approximate inverse, as in the authors' code
    (HRR.with_flax, Unbinding). w depends on v: the layer is not linear in its values, so that there
    is no Ā of q and k. For w as it is, Ā would be diagonal: tokens meet in w alone.
    Linear layers have no bias, as there. A norm of 0 gives the cosine 0, where the code divides by
    it; padded tokens have no part in w (the code of Image has no mask).

    The authors' ListOps and Text have 8 heads and a width of 512; Image 4 and 256, Retrieval 4 and
    128, Pathfinder 8 and 1,024 (hrrformer_mgpu.py of each task).
    Alam et al. 2023 (arXiv 2305.19534).
    """

    support = Support(
        paper="Alam et al. 2023", rows_sum_to_one=False, time="N", memory="N", family="binding"
    )

    def __init__(self, *, dim: int, max_len: int, heads: int) -> None:
        super().__init__(dim=dim, max_len=max_len)
        if heads < 1 or dim % heads:
            raise UsageError(f"hrr needs heads that divide the width {dim}, not {heads}")
        self.heads = heads
        self.query, self.key, self.value, self.out = (
            nn.Linear(dim, dim, bias=False) for _ in range(4)
        )

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)) for f in (self.query, self.key, self.value))
        with full_precision(q, k, v) as (q, k, wide):  # (B, N, H, D)
            D = q.shape[-1]
            bound = (torch.fft.rfft(k) * torch.fft.rfft(wide)).sum(1, keepdim=True)
            returned = torch.fft.irfft(bound * torch.fft.rfft(q).conj(), n=D)
            pads = None if keep is None else ~keep[..., None, None]
            cosine = (_unit(wide, pads) * _unit(returned, pads)).sum(-1)
            if keep is not None:
                cosine = cosine.masked_fill(~keep[..., None], lowest(cosine))
            weighed = cosine.softmax(1)[..., None] * wide
        return self.out(weighed.to(v.dtype).flatten(2))

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        B, N, C = x.shape
        D, y = C // self.heads, torch.zeros_like(x)
        turn = torch.arange(D)[:, None] - torch.arange(D)  # (k ⊛ v)ᵢ = Σⱼ kⱼ v₍ᵢ₋ⱼ₎
        for b in range(B):
            real = torch.ones(N, dtype=torch.bool) if keep is None else keep[b]
            q, k, v = (
                (x[b, real] @ f.weight.T).view(-1, self.heads, D)
                for f in (self.query, self.key, self.value)
            )
            beta = torch.einsum("thj,thij->hi", k, v[..., turn % D])
            inverse = q[..., -torch.arange(D) % D]
            returned = torch.einsum("thj,hij->thi", inverse, beta[..., turn % D])
            lengths = v.norm(dim=-1) * returned.norm(dim=-1)
            dots = (v * returned).sum(-1)
            weights = (dots / torch.where(lengths > 0, lengths, 1.0)).exp()
            weights = weights / weights.sum(0)
            y[b, real] = (weights[..., None] * v).reshape(-1, C) @ self.out.weight.T
        return y


def _unit(x: Tensor, pads: Tensor | None) -> Tensor:
    """x of length 1; at pads anything, since a zero there has no second derivative."""
    return F.normalize(x if pads is None else x.masked_fill(pads, 1.0), dim=-1)
