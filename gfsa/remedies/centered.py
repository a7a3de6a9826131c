"""Remedies on the operator: Ā without its mean, or with more of what is not the mean."""

import torch
from torch import Tensor, nn

from attention_zoo import AttentionOperator, Cost, Filter, Products, register_filter
from attention_zoo.operators.coefficients import add_scaled
from gfsa.filters.weighted import mean_like


@register_filter("attnscale")
class AttnScale(Filter):
    """H = 11ᵀ/n + (1 + λ)(Ā − 11ᵀ/n) over the n real tokens, λ learned for each head: what is not
    the mean is passed on more strongly. It starts as Ā, at λ = 0.
    Wang et al. 2022 (arXiv 2203.05962), AttnScale.

    Args:
        heads: H of the attention that it stands on.
        scale: where λ starts.
    """

    stacks = False

    def __init__(self, heads: int, scale: float = 0.0) -> None:
        super().__init__(heads)
        self.scale = nn.Parameter(torch.full((heads,), scale))

    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        mean = mean_like(matrix, keep, self.prefix)
        return mean + (1 + self.scale[:, None, None]) * (matrix - mean)

    def products(self, cost: Cost) -> Products:
        return cost.polynomial(1)

    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        y = operator.__matmul__(v)  # an @ breaks torch.compile's graph
        return add_scaled(y, self.scale, y - operator.mean(v))


@register_filter("centered")
class Centered(Filter):
    """H = Ā − 11ᵀ/n over the n real tokens: rows sum to 0, and a constant is not passed on.
    Ali et al. 2023 (arXiv 2306.01610), centered self-attention. It has no weights, and is another
    operator than Ā from the start.
    """

    stacks = False

    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        return matrix - mean_like(matrix, keep, self.prefix)

    def products(self, cost: Cost) -> Products:
        return cost.polynomial(1)

    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        return operator.__matmul__(v) - operator.mean(v)
