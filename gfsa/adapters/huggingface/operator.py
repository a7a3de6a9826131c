"""Ā of one call of a model's attention, computed by the model's own kernel."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from attention_zoo import DecodingCache
from attention_zoo.operators import AttentionOperator, Recurrence, zero_pads
from attention_zoo.operators.coefficients import Coefficient, add_scaled, scale


class ModelOperator(AttentionOperator):
    """The rows of Ā of the n new tokens, n = N without a cache.

    The first application of Ā, to the model's own v, is the call that the model would have made;
    v of the tokens before is in the model's cache. What further applications are of, Āv of all
    tokens and so on, is kept in a cache of its own.
    """

    def __init__(
        self,
        values: Tensor,  # (B, H, N, D), of all tokens
        tokens: int,  # n
        keep: Tensor | None,  # (B, n)
        attend: Callable[[Tensor], Tensor],  # (B, H, N, D) -> (B, H, n, D)
        causal: bool,
        cache: DecodingCache | None,
    ) -> None:
        new = values if values.shape[2] == tokens else values[:, :, -tokens:]
        super().__init__(new, keep)
        self.values, self._attend = values, attend
        self.causal, self.cache = causal, cache

    def _masked(self, v: Tensor) -> Tensor:
        return v  # the kernel masks them, as in the model

    def mean(self, v: Tensor) -> Tensor:
        return super().mean(zero_pads(v, self.keep))

    def _polynomial(self, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
        """By powers, not Horner's rule, whose first application would be to another stream than
        v's. At (0, 1, 0) it is Āv to the bit: 0·v + Āv + 0·Ā²v."""
        total, power = scale(coefficients[0], v), v
        for coefficient in coefficients[1:]:
            power = self._apply(power)
            total = add_scaled(total, coefficient, power)
        return total

    def _series(self, coefficients: Sequence[Coefficient], v: Tensor, basis: Recurrence) -> Tensor:
        return basis.series(coefficients, v, self._apply)

    def _apply(self, v: Tensor) -> Tensor:
        if v is self.like:
            return self._attend(self.values)
        v = zero_pads(v, self.keep)
        if self.cache is not None:
            v = self.cache.append(self.cache.stream("values"), v)
        return self._attend(v)


def real_tokens(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """Which of the n new tokens (B, n) any row of this pass sees, of a mask (B, ·, n, N) of bools
    or of numbers that are added to the scores."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        seen = mask.any(-2)
    else:
        seen = mask.amax(-2) > torch.finfo(mask.dtype).min / 2
    B, _, n, _ = like.shape
    return seen.any(1)[:, -n:].expand(B, n)
