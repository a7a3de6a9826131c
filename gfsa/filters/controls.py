"""Controls: filters with as many weights as GFSA, without its high-order term."""

from typing import Final, Literal

import torch
from torch import Tensor

from attention_zoo import AttentionOperator, Cost, Products, UsageError, register_filter
from attention_zoo.operators.coefficients import add_scaled
from gfsa.filters.gfsa import GraphFilter
from gfsa.filters.weighted import Share, WeightedFilter, identity_like, mean_like

BaseWeight = Literal["w0", "w1"]
LEARN_BOTH: Final[frozenset[BaseWeight]] = frozenset(("w0", "w1"))
MeanWeight = Literal["w0", "w1", "wm"]
LEARN_ALL: Final[frozenset[MeanWeight]] = frozenset(("w0", "w1", "wm"))


@register_filter("identity")
class IdentityFilter(WeightedFilter):
    """H = w₀ I + w₁ Ā: what GFSA's other two terms can do alone.

    Args:
        heads: H of the attention that it stands on.
        w0, w1: where the weights start; (0, 1) by default: H = Ā.
        learn: which of them are learned, or `none`.
        share: `heads` for one set of weights a layer, `none` for one a head.
    """

    def __init__(
        self,
        heads: int,
        w0: float = 0.0,
        w1: float = 1.0,
        learn: frozenset[BaseWeight] | Literal["none"] = LEARN_BOTH,
        share: Share = "none",
    ) -> None:
        super().__init__(heads, {"w0": w0, "w1": w1}, learn, share)

    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        w0, w1 = self.columns("w0", "w1")
        return w0 * identity_like(matrix) + w1 * matrix

    def response(self, eigenvalues: Tensor) -> Tensor:
        return self.weight("w0")[:, None] + self.weight("w1")[:, None] * eigenvalues

    def products(self, cost: Cost) -> Products:
        return cost.polynomial(1)

    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        return operator.polynomial([self.weight("w0"), self.weight("w1")], v)


@register_filter("mean")
class MeanFilter(WeightedFilter):
    """H = w₀ I + w₁ Ā + w_m 11ᵀ/n over the n real tokens (of a causal Ā: those up to each row's):
    GFSA with a plain mean for its high-order term. Where powers of Ā are nearly a mean over the
    tokens, as those of a smooth kernel are, GFSA can hardly do more.

    Args:
        heads: H of the attention that it stands on.
        w0, w1, wm: where the weights start; (0, 1, 0) by default: H = Ā.
        learn: which of them are learned, or `none`.
        share: `heads` for one set of weights a layer, `none` for one a head.
    """

    def __init__(
        self,
        heads: int,
        w0: float = 0.0,
        w1: float = 1.0,
        wm: float = 0.0,
        learn: frozenset[MeanWeight] | Literal["none"] = LEARN_ALL,
        share: Share = "none",
    ) -> None:
        super().__init__(heads, {"w0": w0, "w1": w1, "wm": wm}, learn, share)

    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        w0, w1, wm = self.columns("w0", "w1", "wm")
        return w0 * identity_like(matrix) + w1 * matrix + wm * mean_like(matrix, keep, self.prefix)

    def products(self, cost: Cost) -> Products:
        return cost.polynomial(1)

    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        y = operator.polynomial([self.weight("w0"), self.weight("w1")], v)
        return add_scaled(y, self.weight("wm"), operator.mean(v))


@register_filter("random")
class RandomFilter(GraphFilter):
    """GFSA with weights that are drawn once and never learned: (w₀, w₁, w_K) = (0, 1, 0) + r u per
    head, u uniform on the unit sphere. Whatever a random polynomial does as well was not learned.

    Args:
        heads: H of the attention that it stands on.
        K, mode: as GFSA's.
        norm: r > 0, the distance from the start; give the one that a learned run moved by, which
            `run_lra.py analyze` prints.
        share: `heads` for one draw a layer, `none` for one a head.
    """

    def __init__(
        self,
        heads: int,
        K: int = 3,
        mode: Literal["taylor", "power"] = "taylor",
        norm: float = 0.1,
        share: Share = "none",
    ) -> None:
        super().__init__(heads, K=K, mode=mode, learn="none", share=share)
        if not norm > 0:
            raise UsageError(f"random needs norm > 0, not {norm}")
        names = ("w0", "w1", "wK")
        direction = torch.randn(3, self.w0.numel())
        direction = norm * direction / direction.norm(dim=0)
        with torch.no_grad():
            for name, change in zip(names, direction, strict=True):
                getattr(self, name).add_(change)
