"""MLP-Mixer: a network over tokens, the same for each channel."""

import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import Support
from attention_zoo.errors import UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_mixer


@register_mixer("mlp-mixer")
class MLPMixer(Mixer):
    """W₂ gelu(W₁ x + b₁) + b₂ over tokens, W₁ of size S × max_len and W₂ max_len × S.

    Weights belong to positions: a shorter input takes the first columns of W₁ and rows of W₂ and
    b₂, and a pad counts as a 0 at its position, so that the amount of padding does not matter, but
    tokens behind a hole have other weights than without it.

    Args:
        width: S, 0 for C/2, the ratio of the paper's models (table 1), where S does not follow the
            number of tokens.

    The norm before it, the residual connection, and the channel-mixing network behind them belong
    to the model. The paper is of images, with no Long Range Arena results.
    Tolstikhin et al. 2021 (arXiv 2105.01601), eq. 1.
    """

    support = Support(
        paper="Tolstikhin et al. 2021",
        time="N",
        memory="N",
        family="networks over tokens",
    )
    check_also = ("width=5",)

    def __init__(self, *, dim: int, max_len: int, width: int = 0) -> None:
        super().__init__(dim=dim, max_len=max_len)
        if width < 0:
            raise UsageError(f"mlp-mixer: width must be positive, or 0 for C/2; got {width}")
        width = width or max(1, dim // 2)
        self.first, self.second = nn.Linear(max_len, width), nn.Linear(width, max_len)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        N = x.shape[1]
        with full_precision(x, *self.parameters()) as (wide, first, bias, second, shift):
            hidden = F.gelu(F.linear(wide.mT, first[:, :N], bias))  # (B, C, S)
            return F.linear(hidden, second[:N], shift[:N]).mT.to(x.dtype)

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        p = {name: value.double() for name, value in self.named_parameters()}
        u = p["first.bias"][:, None]  # (S, 1), then (B, S, C)
        for j in range(x.shape[1]):
            u = u + p["first.weight"][:, j, None] * x[:, None, j].double()
        u = u / 2 * (1 + (u / 2**0.5).erf())
        y = p["second.weight"] @ u + p["second.bias"][:, None]
        return y[:, : x.shape[1]]
