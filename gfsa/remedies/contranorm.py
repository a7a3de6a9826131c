"""ContraNorm: a layer's output less what is alike in it."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_zoo import OnOutput, Product, Products, UsageError, register_filter

SHORTEST = 1e-6  # length that a token is divided by; the gradient of one of no length stays finite


@register_filter("contranorm")
class ContraNorm(OnOutput):
    """Of the layer's output Y, with Ŷ its tokens of length 1 and no weights to learn:

    dual: (1 + s) Y − s Y softmax(ŶᵀŶ/τ), C×C, linear in N
    tokens: (1 + s) Y − s softmax(ŶŶᵀ/τ) Y, N×N over the real tokens

    Both softmaxes are over rows. The entries of ŶᵀŶ grow with N, so that on long inputs a row of
    the dual's softmax is nearly all at the largest entry, unless τ grows as well.
    Guo et al. 2023 (arXiv 2303.06562), ContraNorm, at the place in a block where its released BERT
    has it between attention and the residual sum; its released ViT has it in front of every
    LayerNorm, with an s that may be learned.

    Args:
        scale: s ≥ 0.
        form: which of the two.
        temperature: τ > 0.
    """

    def __init__(
        self,
        scale: float = 0.1,
        form: Literal["dual", "tokens"] = "dual",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if scale < 0 or temperature <= 0:
            raise UsageError(
                f"contranorm needs scale ≥ 0 and temperature > 0, not {scale} and {temperature}"
            )
        self.scale, self.form, self.temperature = scale, form, temperature

    def forward(self, y: Tensor, keep: Tensor | None) -> Tensor:
        if keep is not None:
            y = torch.where(keep[..., None], y, 0.0)
        # In float32: a pad's length would be 0 even beside float16's smallest number.
        wide = torch.promote_types(y.dtype, torch.float32)
        unit = F.normalize(y.to(wide), dim=-1, eps=SHORTEST)
        if self.form == "dual":
            alike = y @ (unit.mT @ unit / self.temperature).softmax(-1).to(y.dtype)
        else:
            unit = unit.to(y.dtype)
            mask = None if keep is None else keep[:, None]
            alike = F.scaled_dot_product_attention(unit, unit, y, mask, scale=1 / self.temperature)
        return torch.lerp(y, alike, -self.scale)

    def reference(self, y: Tensor, keep: Tensor | None) -> Tensor:
        rows = []
        for b, example in enumerate(y):
            real = example if keep is None else example[keep[b]]
            unit = real / real.norm(dim=-1, keepdim=True).clamp(min=SHORTEST)
            if self.form == "dual":
                weights = (unit.T @ unit / self.temperature).exp()
                alike = real @ (weights / weights.sum(1, keepdim=True))
            else:
                weights = (unit @ unit.T / self.temperature).exp()
                alike = weights / weights.sum(1, keepdim=True) @ real
            result = (1 + self.scale) * real - self.scale * alike
            where = torch.ones(len(example), dtype=torch.bool) if keep is None else keep[b]
            rows.append(torch.zeros_like(example).masked_scatter(where[:, None], result))
        return torch.stack(rows)

    def products(self, B: int, N: int, C: int) -> Products:
        if self.form == "dual":
            return Product(C, N, C, B), Product(N, C, C, B)
        return Product(N, C, N, B), Product(N, N, C, B)
