"""EVA: a window exactly, and of every group of tokens a summary, under one softmax."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product, linear_product
from attention_zoo.operators import FactoredOperator, SumOperator, from_blocks, to_blocks
from attention_zoo.parts.patterns import PatternOperator
from attention_zoo.parts.tokens import segment_means, segments
from attention_zoo.parts.windows import Window
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("eva")
class EVA(Attention):
    """Row i of Ā v is Σⱼ aᵢⱼ vⱼ + Σ_c aᵢ_c β_c, over the tokens j of i's window and all groups c:

        a = softmax of (q_i·k_j/√D, q_i·k̃_c/√D) over both
        β_c = Σ over j in c of softmaxⱼ(log ξ(kⱼ, ω_c)) vⱼ
        log ξ(k, ω) = ω·k/√D − |k|²/(2√D),  ω_c = (q̃_c + k̃_c)/2 plus, in training, normal noise

    q̃_c, k̃_c: LayerNorm(Linear(mean over the group)), of q and of k with weights of their own.
    Nothing but β_c depends on v, and linearly.

    window: tokens a block that looks at itself (4). overlap: also at max(1, ⌊window/2⌋) tokens on
    either side. landmarks: groups, segments of consecutive real tokens (49). proposal: `default`,
    or `no-ln` without the LayerNorm.
    These are the formulas and defaults of the authors' code (HKUNLP/efficient-attention,
    eva.py, local_attention.py). Departures: groups divide the real tokens and do not overlap, empty
    ones count for nothing, and their means are over real tokens alone; no position bias; the noise
    is one draw for a batch, made again every `redraw` steps.
    Zheng et al. 2023 (arXiv 2302.04542).
    """

    support = Support(
        paper="Zheng et al. 2023",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="sparse",
        dynamic_length=False,
    )
    check_also = ("window=4,landmarks=3", "window=3,overlap=true,landmarks=5,proposal=no-ln")
    noise: Tensor  # (H, C, D)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        window: int = 4,
        overlap: bool = False,
        landmarks: int = 49,
        proposal: Literal["default", "no-ln"] = "default",
        redraw: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if window < 1 or landmarks < 1 or redraw < 0:
            raise UsageError(
                "eva needs window ≥ 1, landmarks ≥ 1 and redraw ≥ 0, "
                f"not {window}, {landmarks} and {redraw}"
            )
        self.window, self.reach = window, max(1, window // 2) if overlap else 0
        self.landmarks, self.redraw = landmarks, redraw
        norm = proposal == "default"
        self.query, self.key = (_projection(head_dim, norm) for _ in range(2))
        self.register_buffer("noise", torch.empty(heads, landmarks, head_dim))
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        self.noise.copy_(torch.randn(self.noise.shape, generator=generator))

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> SumOperator:
        like, N, b, scale = q, q.shape[2], self.window, self.head_dim**-0.5
        q_means, present = segment_means(q, keep, self.landmarks)
        for_q, for_k = self.query(q_means), self.key(segment_means(k, keep, self.landmarks)[0])
        group = segments(q, keep, self.landmarks)[:, None]  # (B, 1, N)
        member = group == torch.arange(self.landmarks, device=q.device)[:, None]  # (B, C, N)
        part = Window(b, self.reach, torch.ones((), dtype=torch.bool, device=q.device))
        real = q.new_ones(1, N, dtype=torch.bool) if keep is None else keep
        seen = part.columns(to_blocks(real[:, None, :, None], b)).mT  # (B or 1, 1, n, 1, c)
        with full_precision(q, k, for_q, for_k) as (q, k, for_q, for_k):
            mu = (for_q + for_k) / 2
            omega = mu + self.noise.to(mu.dtype) if self.training else mu
            keys = scale * (omega @ k.mT - k.square().sum(-1)[:, :, None] / 2)  # (B, H, C, N)
            keys = keys.masked_fill(~member[:, None], lowest(keys)).softmax(-1)
            right = keys * member[:, None]
            rows = to_blocks(q * scale, b)
            near = rows @ part.columns(to_blocks(k, b)).mT  # (B, H, n, b, c)
            far = rows @ for_k.mT[:, :, None]  # (B, H, n, b, C)
            near = near.masked_fill(~seen, lowest(near))
            far = far.masked_fill(~present[:, None, None, None], lowest(far))
            weights = torch.cat([near, far], -1).softmax(-1)
            near, far = weights.split([near.shape[-1], far.shape[-1]], -1)
            near, left = (near * seen).to(like.dtype), from_blocks(far, N).to(like.dtype)
        return SumOperator(
            PatternOperator(like, b, [part], [near], keep),
            FactoredOperator(left, right.to(like.dtype), keep),
        )

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), C, b = inputs.shape, self.landmarks, self.window
        linear = *self.query.modules(), *self.key.modules()
        made = [linear_product(p, B * H * C) for p in linear if isinstance(p, nn.Linear)]
        rows = -(-N // b) * b
        features = Product(C, D, N, B * H), Product(rows, D, C, B * H)
        near = PatternOperator.cost(inputs, b, columns=b + 2 * self.reach)
        return (near + FactoredOperator.cost(inputs, C)).made_by(*made, *features)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        B, _, N, _ = q.shape
        result = torch.zeros(*q.shape[:3], N, dtype=q.dtype, device=q.device)
        for e in range(B):
            real = torch.arange(N) if keep is None else keep[e].nonzero().flatten().cpu()
            if len(real):
                rows = real.to(q.device)
                matrix = self._unpadded(q[e][:, rows], k[e][:, rows], real)
                result[e, :, rows[:, None], rows] = matrix
        return result

    def _unpadded(self, q: Tensor, k: Tensor, position: Tensor) -> Tensor:  # to (H, n, n)
        n, root = q.shape[1], math.sqrt(q.shape[2])
        place = torch.arange(n) * self.landmarks // n
        first = position // self.window * self.window  # of the row's block
        near = position >= first[:, None] - self.reach
        near &= position < first[:, None] + self.window + self.reach
        local = torch.einsum("hid,hjd->hij", q, k).div(root).exp() * near.to(q)
        total, result = local.sum(-1, keepdim=True), local
        for c in place.unique():
            j = (place == c).nonzero().flatten().to(q.device)
            for_q, for_k = self.query(q[:, j].mean(1)), self.key(k[:, j].mean(1))  # (H, D)
            omega = (for_q + for_k) / 2
            if self.training:
                omega = omega + self.noise[:, c].to(q.dtype)
            xi = (torch.einsum("hjd,hd->hj", k[:, j], omega) - k[:, j].square().sum(-1) / 2) / root
            beta = torch.zeros_like(k[:, :, 0]).index_add(1, j, xi.softmax(-1))  # (H, n)
            mass = torch.einsum("hid,hd->hi", q, for_k).div(root).exp()[..., None]
            total, result = total + mass, result + mass * beta[:, None]
        return result / total


def _projection(width: int, norm: bool) -> nn.Module:
    linear = nn.Linear(width, width)
    return nn.Sequential(linear, nn.LayerNorm(width)) if norm else nn.Sequential(linear)
