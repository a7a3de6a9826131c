"""Remedies that scale a layer's output channel by channel: LayerScale and FeatScale."""

import torch
from torch import Tensor, nn

from attention_zoo import OnOutput, register_filter
from attention_zoo.remedy import token_mean


@register_filter("layerscale")
class LayerScale(OnOutput):
    """x + γ ⊙ f(x) on both branches of a block, f the attention layer or the feed-forward network,
    γ (C,) of each learned.
    Touvron et al. 2021 (arXiv 2103.17239), CaiT, LayerScale: γ starts at 0.1 up to 18 layers, 1e-5
    up to 24, 1e-6 beyond.

    Args:
        dim: C of the layer.
        start: where every entry of γ starts.
    """

    causal = by_token = True

    def __init__(self, dim: int, start: float = 0.1) -> None:
        super().__init__()
        self.attention = nn.Parameter(torch.full((dim,), start))
        self.ffn = nn.Parameter(torch.full((dim,), start))

    def forward(self, y: Tensor, keep: Tensor | None) -> Tensor:
        return y * self.attention

    def reference(self, y: Tensor, keep: Tensor | None) -> Tensor:
        return y @ torch.diag(self.attention)

    def after_ffn(self, y: Tensor) -> Tensor:
        return y * self.ffn


@register_filter("featscale")
class FeatScale(OnOutput):
    """y + s ⊙ DC(y) + t ⊙ (y − DC(y)) of the layer's output y, DC its mean over the real tokens, s
    and t (C,) learned: constant and varying parts are weighed apart. It starts as y, at s = t = 0.
    Wang et al. 2022 (arXiv 2203.05962), FeatScale. (The released DeiT code adds both terms twice,
    which is this with 2s and 2t.)

    Args:
        dim: C of the layer.
        constant, varying: where every entry of s and of t starts.
    """

    causal = True

    def __init__(self, dim: int, constant: float = 0.0, varying: float = 0.0) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.full((dim,), constant))
        self.varying = nn.Parameter(torch.full((dim,), varying))

    def forward(self, y: Tensor, keep: Tensor | None) -> Tensor:
        mean = token_mean(y, keep, self.prefix)
        return torch.addcmul(y + self.constant * mean, self.varying, y - mean)

    def reference(self, y: Tensor, keep: Tensor | None) -> Tensor:
        N = y.shape[1]
        real = torch.ones(y.shape[:2], dtype=torch.bool) if keep is None else keep
        average = real.to(y.dtype)[:, None].expand(-1, N, -1)
        average = average.tril() if self.prefix else average
        average = average / average.sum(-1, keepdim=True).clamp(min=1)
        lost = torch.eye(N, dtype=y.dtype) - average
        clean = torch.where(real[..., None], y, 0.0)
        s, t = torch.diag(self.constant), torch.diag(self.varying)
        return clean + average @ clean @ s + lost @ clean @ t
