"""LARA: linear randomized attention, an importance sampling estimate with one sample a landmark."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product, linear_product
from attention_zoo.operators import FactoredOperator, zero_pads
from attention_zoo.parts.tokens import matrix_of_real_tokens, segment_means
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_attention


@register_attention("lara")
class LARA(Attention):
    """Ā = W S, S = softmax over the tokens of log ξ(k, ω), W = softmax over the samples of

        log α + log ξ(q, ω) + log Σⱼ ξ(kⱼ, ω) − log p(ω),  ξ(x, ω) = exp(ω·x/√D − |x|²/(2√D))

    with one sample ω_c a landmark: μ_c = q̃_c + k̃_c plus, in training, normal noise. With
    p_m(ω) = ξ(μ_m, ω): `balanced` has α = 1, p(ω_c) = Σₘ p_m(ω_c); `optimal` has p(ω_c) = p_c(ω_c),
    α_nc = p_c(ω_c) / Σₘ p_m(ω_c) + alpha (t_nc − mean over c of t_nc), at least 10⁻⁸, and t_nc the
    softmax over the tokens n of q_n·q̃_c/√D.

    landmarks: means of segments of consecutive real tokens (49). proposal: `adaptive` means of
    LayerNorm(Linear(q)) and of another for k, or `mean` of q and k, without weights.
    These are the formulas of the authors' code (HKUNLP/efficient-attention, lara.py: mis-bh,
    mis-opt, alpha_coeff), and the defaults too, except one: its proposal is `pool`, for images, and
    `adaptive` here is its `adaptive-1d`. √D is where that code has it. Departures:
    segments divide the real tokens, to which t_nc is confined, too; the noise is one draw for a
    batch, made again every `redraw` steps.
    Zheng et al. 2022 (arXiv 2204.04667).
    """

    support = Support(
        paper="Zheng et al. 2022",
        rows_sum_to_one=True,
        time="N",
        memory="N",
        family="low rank",
    )
    check_also = ("landmarks=4", "landmarks=5,weights=balanced,proposal=mean")
    noise: Tensor  # (H, C, D)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        landmarks: int = 49,
        proposal: Literal["adaptive", "mean"] = "adaptive",
        weights: Literal["optimal", "balanced"] = "optimal",
        alpha: float = 1.0,
        redraw: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        if landmarks < 1 or redraw < 0:
            raise UsageError(
                f"lara needs landmarks ≥ 1 and redraw ≥ 0, not {landmarks} and {redraw}"
            )
        self.landmarks, self.weights, self.alpha = landmarks, weights, alpha
        self.redraw = redraw
        adaptive = proposal == "adaptive"
        self.query, self.key = (_projection(head_dim, adaptive) for _ in range(2))
        self.register_buffer("noise", torch.empty(heads, landmarks, head_dim))
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        self.noise.copy_(torch.randn(self.noise.shape, generator=generator))

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> FactoredOperator:
        dtype, scale = q.dtype, self.head_dim**-0.5
        proposals = zero_pads(self.query(q), keep), zero_pads(self.key(k), keep)
        with full_precision(q, k, *proposals) as (q, k, for_q, for_k):
            q_means, present = segment_means(for_q, keep, self.landmarks)
            mu = q_means + segment_means(for_k, keep, self.landmarks)[0]
            omega = mu + self.noise.to(mu.dtype) if self.training else mu
            absent = ~present[:, None, None]  # (B, 1, 1, C)
            keys = _log_xi(omega, k, scale)  # (B, H, C, N)
            if keep is not None:
                keys = keys.masked_fill(~keep[:, None, None], lowest(keys))
            density = _log_xi(omega, mu, scale).masked_fill(absent, lowest(mu))  # (B, H, C, C)
            mixture = density.logsumexp(-1)  # (B, H, C)
            logits = _log_xi(omega, q, scale).mT + keys.logsumexp(-1)[:, :, None]  # (B, H, N, C)
            if self.weights == "balanced":
                logits = logits - mixture[:, :, None]
            else:
                own = density.diagonal(dim1=-2, dim2=-1)
                t = (q_means * scale) @ q.mT
                if keep is not None:
                    t = t.masked_fill(~keep[:, None, None], lowest(t))
                t = torch.where(absent.mT, 0.0, t.softmax(-1))  # (B, H, C, N)
                count = present.sum(-1).clamp(min=1)[:, None, None, None]
                t = t - t.sum(-2, keepdim=True) / count
                alpha = (own - mixture).exp()[..., None] + self.alpha * t
                logits = logits + alpha.clamp(min=1e-8).log().mT - own[:, :, None]
            left = logits.masked_fill(absent, lowest(logits)).softmax(-1)
            right = keys.softmax(-1)
            if keep is not None:
                right = right * keep[:, None, None]  # an example without a real token
        return FactoredOperator(left.to(dtype), right.to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), R = inputs.shape, self.landmarks
        linear = *self.query.modules(), *self.key.modules()
        made = [linear_product(p, B * H * N) for p in linear if isinstance(p, nn.Linear)]
        means = 2 if self.weights == "balanced" else 3  # products of a mean with every token
        features = Product(R, D, N, means * B * H), Product(R, D, R, B * H)
        return FactoredOperator.cost(inputs, R).made_by(*made, *features)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        return matrix_of_real_tokens(self._unpadded, q, k, keep)

    def _unpadded(self, q: Tensor, k: Tensor) -> Tensor:  # (H, n, D) to (H, n, n)
        n, C, root = q.shape[1], min(q.shape[1], self.landmarks), math.sqrt(q.shape[2])
        place = torch.arange(n) * self.landmarks // n
        parts = [place == c for c in place.unique()]
        q_bar = torch.stack([self.query(q)[:, part].mean(1) for part in parts], 1)
        mu = q_bar + torch.stack([self.key(k)[:, part].mean(1) for part in parts], 1)
        omega = mu + self.noise[:, place.unique()].to(q.dtype) if self.training else mu

        def xi(x: Tensor) -> Tensor:  # (H, C, n)
            dots = torch.einsum("hcd,hnd->hcn", omega, x)
            return torch.exp((dots - x.square().sum(-1)[:, None] / 2) / root)

        p = xi(mu)
        target = torch.einsum("hcn,hcm->hcn", xi(q), xi(k))
        if self.weights == "balanced":
            ratios = target / p.sum(-1, keepdim=True)
        else:
            t = torch.einsum("hcd,hnd->hcn", q_bar, q).div(root).exp()
            t = t / t.sum(-1, keepdim=True)
            own = torch.stack([p[:, c, c] for c in range(C)], 1)[..., None]
            alpha = own / p.sum(-1, keepdim=True) + self.alpha * (t - t.mean(1, keepdim=True))
            ratios = alpha.clamp(min=1e-8) * target / own
        weights = ratios / ratios.sum(1, keepdim=True)
        keys = xi(k) / xi(k).sum(-1, keepdim=True)
        return torch.einsum("hci,hcj->hij", weights, keys)


def _projection(width: int, adaptive: bool) -> nn.Module:
    if not adaptive:
        return nn.Identity()
    return nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width))


def _log_xi(omega: Tensor, x: Tensor, scale: float) -> Tensor:
    """log ξ(x, ω), (B, H, C, D) and (B, H, N, D) -> (B, H, C, N)."""
    return scale * (omega @ x.mT - x.square().sum(-1)[:, :, None] / 2)
