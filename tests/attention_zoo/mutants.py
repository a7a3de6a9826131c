"""What can be wrong with an attention: `linear` with one defect each, by the check about it."""

import random

import torch
from torch import nn

from attention_zoo import DenseOperator, FactoredOperator, Support
from attention_zoo.attentions.linear import Linear

from .misbehaved import MISBEHAVED, dense
from .miscounts import MISCOUNTS
from .misderived import GIVEN, MISDERIVED


class Leak(Linear):
    def operator(self, q, k, keep):  # φ(0) = 1 stays in the normaliser
        weights = (nn.functional.elu(q) + 1) @ (nn.functional.elu(k) + 1).mT
        weights = weights / weights.sum(-1, keepdim=True)
        return DenseOperator(weights if keep is None else weights * keep[:, None, None], keep)


class Detached(Linear):
    def operator(self, q, k, keep):
        return super().operator(q.detach(), k, keep)


class BatchMates(Linear):
    operator = dense

    def reference(self, q, k, keep):
        return Linear.reference(self, q, k, keep) * (1 + k.detach().amax())


class PaddedLength(Linear):
    operator = dense

    def reference(self, q, k, keep):
        return Linear.reference(self, q, k, keep) * q.shape[2]


class PaddedFinish(Linear):
    def finish(self, y):
        return y - y.mean(-2, keepdim=True)


class BatchStatistics(Linear):
    def finish(self, y):
        return y / (1 + y.std()) if self.training else y


class PaddedTerm(Linear):
    def operator(self, q, k, keep):
        self.term = q.square().mean()
        return super().operator(q, k, keep)

    def auxiliary_loss(self):
        return self.term


class NoTerm(PaddedTerm):
    def auxiliary_loss(self):
        return self.term / 0


class Unmasked(Linear):
    def operator(self, q, k, keep):
        operator = super().operator(q, k, keep)
        operator._masked = lambda v: v
        return operator


class Rectified(Linear):
    def operator(self, q, k, keep):
        operator = super().operator(q, k, keep)
        apply = operator._apply
        operator._apply = lambda v: apply(v).relu()
        return operator


class Noisy(Linear):
    def operator(self, q, k, keep):
        operator = super().operator(q, k, keep)
        operator.left = operator.left * (1 + torch.rand(()))
        return operator


class Squared(FactoredOperator):
    def _polynomial(self, coefficients, v):
        return super()._polynomial([*coefficients[:-1], 0.5 * coefficients[-1]], v)


class WrongOrder(Linear):
    def operator(self, q, k, keep):
        made = super().operator(q, k, keep)
        return Squared(made.left, made.right, keep)


class WrongMean(Linear):
    def operator(self, q, k, keep):
        operator = super().operator(q, k, keep)
        operator.mean = lambda v: v.mean(-2, keepdim=True).expand_as(v)
        return operator


class ZeroByZero(Linear):
    operator = dense

    def reference(self, q, k, keep):
        weights = (nn.functional.elu(q) + 1) @ (nn.functional.elu(k) + 1).mT
        weights = weights if keep is None else weights * keep[:, None, None]
        return weights / weights.sum(-1, keepdim=True)


class UnmaskedPolynomial(Linear):
    def operator(self, q, k, keep):
        operator = super().operator(q, k, keep)
        operator.polynomial = lambda c, v: operator._polynomial(c, v)
        return operator


class Doubled(Linear):
    operator = dense

    def reference(self, q, k, keep):
        return 2 * Linear.reference(self, q, k, keep)


class Causal(Linear):
    support = Support(**GIVEN, causal="always")


class Forgetting(Linear):
    """Decodes as if the new tokens were the first ones."""

    def operator(self, q, k, keep, cache=None):
        return super().operator(q, k, keep)


class LaterWeights(Linear):
    """Triangular, but each weight depends on all keys."""

    support = Support(**GIVEN | {"rows_sum_to_one": False}, causal="always")

    operator = dense

    def reference(self, q, k, keep):
        return (q @ k.mT).tril() * k.sum((-1, -2), keepdim=True).sigmoid()


class EvenWidths(Linear):
    def operator(self, q, k, keep):
        half = self.head_dim // 2
        return super().operator(q, torch.cat([k[..., half:], k[..., :half]], -1), keep)

    def reference(self, q, k, keep):
        return Linear.reference(self, q, k.roll(k.shape[-1] // 2, -1), keep)


class IdleQuery(Linear):
    def operator(self, q, k, keep):
        return super().operator(k, k, keep)


class KeysAnyway(Linear):
    projections = ("q",)


class Overflowing(Linear):
    support = Support(**GIVEN, dtypes=(torch.float16,))

    def operator(self, q, k, keep):
        k = k.square().square()
        return FactoredOperator(q, k.mT if keep is None else (k * keep[:, None, :, None]).mT, keep)


class Summing(Linear):
    """Rows sum to the number of tokens, and those of Ā² to its square."""

    support = Support(**GIVEN | {"rows_sum_to_one": False}, dtypes=(torch.float16,))

    def operator(self, q, k, keep):
        matrix = q.new_ones(*q.shape[:3], q.shape[2])
        return DenseOperator(matrix if keep is None else matrix * keep[:, None, None], keep)


class Rough(Linear):
    def operator(self, q, k, keep):
        made = super().operator(q, k, keep)
        left = made.left.bfloat16().to(q.dtype) if q.dtype == torch.float32 else made.left
        return FactoredOperator(left, made.right, keep)


class RoughUnderAutocast(Linear):
    def operator(self, q, k, keep):
        if torch.is_autocast_enabled("cpu"):
            q = q.round()
        return super().operator(q, k, keep)


class Unheard(Linear):
    support = Support(**GIVEN | {"memory": "N³"})


class Idle(Linear):
    def __init__(self, **given):
        super().__init__(**given)
        self.idle = nn.Parameter(torch.zeros(3))


class Multiplied(Linear):
    def __init__(self, **given):
        super().__init__(**given)
        self.idle = nn.Parameter(torch.zeros(3))

    def operator(self, q, k, keep):
        return super().operator(q + 0 * self.idle.sum(), k, keep)


class Drawing(Linear):
    """Draws anew in each forward pass, in eval too."""

    def operator(self, q, k, keep):
        return super().operator(q * torch.rand(()), k, keep)


class Forgetful(Linear):
    """Its draw is no buffer."""

    redraw = 1

    def __init__(self, **given):
        super().__init__(**given)
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator):
        self.factor = torch.rand((), generator=generator)

    def operator(self, q, k, keep):
        return super().operator(q * self.factor, k, keep)


class Unsaved(Linear):
    """Drawn once, and no buffer."""

    def __init__(self, **given):
        super().__init__(**given)
        self.factor = torch.rand(())

    def operator(self, q, k, keep):
        return super().operator(q * self.factor, k, keep)


class Unseeded(Linear):
    def __init__(self, **given):
        super().__init__(**given)
        self.weight = nn.Parameter(torch.tensor(random.random()))

    def operator(self, q, k, keep):
        return super().operator(q * self.weight, k, keep)


class Unasked(Linear):
    def forward(self, q, k, keep=None, x=None):
        return self.operator(q, k, keep)


MUTANTS = {
    "reference": (Leak, Detached),
    "layers": (Leak, Detached),
    "amount": (BatchMates, PaddedLength, PaddedFinish, BatchStatistics, PaddedTerm, NoTerm),
    "poison": (Unmasked, UnmaskedPolynomial),
    "linear": (Rectified,),
    "polynomial": (WrongOrder,),
    "mean": (WrongMean,),
    "empty": (ZeroByZero,),
    "packed": (BatchMates, NoTerm),
    "rows": (Doubled,),
    "causal": (Causal, LaterWeights),
    "decoding": (Forgetting,),
    "head_dims": (EvenWidths,),
    "projections": (KeysAnyway, IdleQuery),
    "dtypes": (Overflowing, Summing),
    "float32": (Rough,),
    "autocast": (RoughUnderAutocast,),
    "flops": MISCOUNTS,
    "declared": (Unheard,),
    "trains": (Idle, Multiplied),
    "deterministic": (Noisy, Drawing),
    "state_dict": (Forgetful, Unsaved),
    "building": (Unseeded,),
    "refusals": (Unasked,),
    **MISDERIVED,
    **MISBEHAVED,
}
FOUND_WITH_OTHERS = {"repeated"}  # what fails it fails `linear` or `polynomial`, too
