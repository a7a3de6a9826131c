"""Luna: tokens packed into a few slots by learned queries, and unpacked by their own."""

import math

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import FactoredOperator
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("luna")
class Luna(Attention):
    """Ā = softmax(q k̃ᵀ/√D) · S, with S = softmax(P kᵀ/√D) over the tokens and k̃ = S k: pack
    attention S (R × N) of learned queries P averages keys and values into R slots, and each token
    looks at the slots. Both factors have rows that sum to 1.

    rank: R, the length of P; 16 as in the authors' LRA commands, whose comment names 128 and 256
    (fairseq-apollo, examples/luna/README.lra.md, plen).
    Our reading, so that Ā acts on the values of each head alone:
    - P (H, R, D) is learned in each layer, and holds the projection of the pack queries. In the
      paper P is learned for the first layer, and each further one gets LayerNorm(P + packed
      context) of the layer before: it depends on the input there, not here.
    - The paper projects the packed context again, all heads together, to the keys and values of
      unpack attention. Here these are the packed keys and values themselves. With v = k this is
      the authors' layer with tied keys and values and the identity for that projection.
    - An example of fewer than R tokens has R slots nevertheless; the authors' `dynamic_projection`
      leaves it as many as tokens.
    The causal form of the paper is another Ā, and is left out.
    Ma et al. 2021 (arXiv 2106.01540), §3.1.
    """

    support = Support(
        paper="Ma et al. 2021",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="low rank",
    )
    check_also = ("rank=3", "rank=40")

    def __init__(self, *, heads: int, head_dim: int, max_len: int, rank: int = 16) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if rank < 1:
            raise UsageError(f"luna needs rank ≥ 1, not {rank}")
        self.P = nn.Parameter(torch.randn(heads, rank, head_dim))

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> FactoredOperator:
        dtype, scale = q.dtype, self.head_dim**-0.5
        with full_precision(q, k, self.P) as (q, k, P):
            scores = (P * scale) @ k.mT  # (B, H, R, N)
            if keep is not None:
                scores = scores.masked_fill(~keep[:, None, None], lowest(scores))
            packing = scores.softmax(-1)
            unpacking = ((q * scale) @ (packing @ k).mT).softmax(-1)
            if keep is not None:
                packing = packing * keep[:, None, None]  # an example without a real token
        return FactoredOperator(unpacking.to(dtype), packing.to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, self.P.shape[1]
        return FactoredOperator.cost(inputs, R).made_by(
            Product(R, D, N, B * H), Product(R, N, D, B * H), Product(N, D, R, B * H)
        )

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        real = torch.ones_like(k[:, 0, :, 0]) if keep is None else keep.to(k.dtype)
        logits = torch.einsum("hrd,bhjd->bhrj", self.P, k) / math.sqrt(k.shape[-1])
        weights = (logits - logits.amax(-1, keepdim=True)).exp() * real[:, None, None]
        pack = weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(k.dtype).tiny)
        slots = torch.einsum("bhrj,bhjd->bhrd", pack, k)
        unpack = torch.einsum("bhid,bhrd->bhir", q, slots).div(math.sqrt(k.shape[-1])).softmax(-1)
        return torch.einsum("bhir,bhrj->bhij", unpack, pack)
