"""Sparse Sinkhorn attention: each block attends to itself and to a block sorted to it."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, from_blocks, to_blocks
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("sinkhorn")
class Sinkhorn(Attention):
    """Ā ∝ exp(q kᵀ/√D) within a block + exp(q k̃ᵀ/√D) · Rᵢⱼ for token t of block j, rows sum to 1.

    Tokens are cut by position into blocks of b. A sorting network on the blocks' sums of keys,
    Sᵢⱼ = ⟨Σₜ kᵢₜ, wⱼ⟩ + cⱼ, and `iterations` Sinkhorn normalisations of its rows and then columns
    over the blocks that have a real token, make exp(S/τ) the nearly doubly stochastic R (n × n).
    Block i then looks, beside itself, at the block sorted to it, whose slot t is the average of
    token t of every block: k̃ᵢₜ = Σⱼ Rᵢⱼ kⱼₜ / mᵢₜ with mᵢₜ = Σⱼ Rᵢⱼ over the blocks j whose token t
    is real. A slot counts with its mass mᵢₜ in the softmax of 2b logits, and values are averaged
    as keys are. Where R is doubly stochastic and nothing is padded the mᵢₜ are 1 and the slots are
    the paper's R·k and R·v; a slot without a real token drops out, and rows sum to 1 however far R
    has converged.
    Held: the 2b weights of each token, R and m.

    block: b, Google's LRA default (64 for images). iterations, temperature τ: of lucidrains' code,
    there given as the paper's best. w (H, D, ⌈max_len/b⌉) and c are learned; as k is linear in x, w
    stands for the paper's network on the sums of x, without its inner layer.
    Left out: Gumbel noise on S in training, which would make Ā random. Google's code differs: it
    takes a softmax for R and sums R and the keys over blocks separately, so that each sorted block
    is the plain sum of all; a block is the tokens of equal i mod N/b; and it adds two softmaxes.
    lucidrains' sorts by means of q and k instead and keeps one block.
    Tay et al. 2020 (arXiv 2002.11296), Sparse Sinkhorn Attention.
    """

    support = Support(
        paper="Tay et al. 2020",
        rows_sum_to_one=True,
        time="N²",
        memory="N²",
        family="hashing and sampling",
        dynamic_length=False,
    )
    check_also = ("block=4", "block=3,iterations=2")
    exceptions: ClassVar = {
        "growth": "R and the averages it makes cost N²/b, which is as much as the b·N of the "
        "blocks only from N = 2b² on, 5,000 by default"
    }

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        block: int = 50,
        iterations: int = 7,
        temperature: float = 0.75,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if block < 1 or not 0 <= iterations <= 1_000 or not temperature > 0:
            raise UsageError(
                "sinkhorn needs block ≥ 1, 0 ≤ iterations ≤ 1,000 and temperature > 0, "
                f"not {block}, {iterations} and {temperature}"
            )
        self.block, self.iterations, self.temperature = block, iterations, temperature
        bound, blocks = head_dim**-0.5, -(-max_len // block)
        self.sort_weight = nn.Parameter(torch.empty(heads, head_dim, blocks))
        self.sort_bias = nn.Parameter(torch.empty(heads, 1, blocks))
        nn.init.uniform_(self.sort_weight, -bound, bound)
        nn.init.uniform_(self.sort_bias, -bound, bound)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        like, (B, _, N, D), b = q, q.shape, self.block
        real = torch.ones(B, N, dtype=torch.bool, device=q.device) if keep is None else keep
        real = to_blocks(real[:, None, :, None], b).squeeze(-1)  # (B, 1, n, b)
        with full_precision(q, k, self.sort_weight, self.sort_bias) as (q, k, w, c):
            q, k = to_blocks(q * D**-0.5, b), to_blocks(k, b)  # (B, H, n, b, D)
            n = k.shape[2]
            logits = (k.sum(-2) @ w[..., :n] + c[..., :n]) / self.temperature
            log_r = self._balance(logits, real.any(-1))
            # With 1 as the largest entry of a row, a slot of hardly any mass can be told from one
            # that a far exponent makes small, and counts as empty: 1/m stays finite.
            largest = log_r.amax(-1, keepdim=True).detach()
            r = (log_r - largest).exp()
            mass = r @ real.to(r)  # (B, H, n, b)
            filled = mass > torch.finfo(r.dtype).eps ** 2
            share = torch.where(filled, 1 / mass.where(filled, 1.0), 0.0)[..., None]
            log_mass = mass.where(filled, 1.0).log() + largest

            own = (q @ k.mT).masked_fill(~real[..., None, :], lowest(q))
            other = q @ _mix(r, share, k).mT + log_mass[..., None, :]
            other = other.masked_fill(~filled[..., None, :], lowest(q))
            weights = torch.cat([own, other], -1).softmax(-1).to(like.dtype)  # (B, H, n, b, 2b)
        return _SortedOperator(like, weights, r, share, keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), b = inputs.shape, self.block
        n = -(-N // b)
        sorting, mass = Product(n, D, n, B * H), Product(n, n, b, B * H, backward=1)
        mixed = Product(n, n, b * D, B * H)
        scores, values = Product(b, D, 2 * b, B * H * n), Product(b, 2 * b, D, B * H * n)
        return Cost((sorting, mass, mixed, scores), (mixed, values))

    def _balance(self, logits: Tensor, real: Tensor) -> Tensor:
        """log R of logits (B, H, n, n), over the real blocks (B, 1, n)."""
        rows, columns = real[..., :, None], real[..., None, :]
        logits = logits.masked_fill(~(rows & columns), lowest(logits))
        for _ in range(self.iterations):
            logits = logits - logits.logsumexp(-1, keepdim=True).masked_fill(~rows, 0.0)
            logits = logits - logits.logsumexp(-2, keepdim=True).masked_fill(~columns, 0.0)
        return logits

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, _, N, D = q.shape
        keep = torch.ones(B, N, dtype=torch.bool) if keep is None else keep
        real = keep[:, None, None].to(q.dtype)  # (B, 1, 1, N)
        place = torch.arange(N)
        block, slot = place // self.block, place % self.block
        inside = (block == torch.arange(int(block[-1]) + 1)[:, None]).to(q.dtype)  # (n, N)

        sums = torch.einsum("jp,bhpd->bhjd", inside, k)
        S = torch.einsum("bhid,hdj->bhij", sums, self.sort_weight[..., : len(inside)])
        S = S + self.sort_bias[..., : len(inside)]
        counted = (real @ inside.mT > 0).to(q.dtype)  # (B, 1, 1, n)
        R = (S / self.temperature).exp() * counted * counted.mT
        for _ in range(self.iterations):
            for dim in (3, 2):
                total = R.sum(dim, keepdim=True)
                R = R / torch.where(total > 0, total, 1.0)

        # From here on a row for each query and a column for each key.
        R = (inside.mT @ R @ inside) * real
        same_slot = (slot == slot[:, None]).to(q.dtype)
        mass = R @ same_slot
        mass = torch.where(mass > 0, mass, 1.0)
        average = torch.einsum("bhpj,jg,bhjd->bhpgd", R, same_slot, k) / mass[..., None]
        sorted_part = R * torch.einsum("bhpd,bhpgd->bhpg", q, average).div(D**0.5).exp()
        own_part = torch.einsum("bhpd,bhgd->bhpg", q, k).div(D**0.5).exp() * real
        weights = sorted_part + own_part * (block == block[:, None])
        total = weights.sum(-1, keepdim=True)
        return weights / torch.where(total > 0, total, 1.0)


def _mix(r: Tensor, share: Tensor, blocks: Tensor) -> Tensor:
    """The sorted blocks: averages over the blocks (B, H, n, b, D), slot by slot."""
    return (r @ blocks.flatten(-2)).unflatten(-1, blocks.shape[-2:]) * share


class _SortedOperator(AttentionOperator):
    """Ā = W [I; share · (R ⊗ I)]: the 2b weights of each token on its own block and the sorted."""

    def __init__(
        self,
        like: Tensor,  # (B, H, N, D)
        weights: Tensor,  # (B, H, n, b, 2b)
        r: Tensor,  # (B, H, n, n), float32 at least: a slot's share may be large
        share: Tensor,  # (B, H, n, b, 1), 0 for a slot with no real token
        keep: Tensor | None,  # (B, N)
    ) -> None:
        super().__init__(like, keep)
        self.weights, self.r, self.share = weights, r, share

    def _apply(self, v: Tensor) -> Tensor:
        own = to_blocks(v, self.weights.shape[-2])
        with full_precision(own) as (blocks,):
            other = _mix(self.r, self.share, blocks).to(v.dtype)
        return from_blocks(self.weights @ torch.cat([own, other], -2), v.shape[-2])
