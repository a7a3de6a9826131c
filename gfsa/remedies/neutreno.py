"""NeuTRENO: a pull towards the values of the first layer."""

import torch
from torch import Tensor

from attention_zoo import OnValues, register_filter


@register_filter("neutreno")
class NeuTRENO(OnValues):
    """Ā Vˡ + λ (V⁰ − Vˡ) for every head, V⁰ the values of the model's first layer, λ a constant; in
    the first layer, and in a layer used alone, it changes nothing.
    Nguyen et al. 2023 (arXiv 2312.00751), NeuTRENO; λ is 0.6 for DeiT in its released code.

    Args:
        weight: λ.
    """

    def __init__(self, weight: float = 0.6) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, y: Tensor, v: Tensor, first: Tensor) -> Tensor:
        return y if first is v else torch.add(y, first - v, alpha=self.weight)

    def reference(self, y: Tensor, v: Tensor, first: Tensor) -> Tensor:
        return y + self.weight * first - self.weight * v
