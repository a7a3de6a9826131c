"""What can be wrong with an attention as a module: its growth, copies, states, edges, exports."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from attention_zoo import AttentionOperator, DenseOperator, Support
from attention_zoo.attentions.linear import Linear

from .misderived import GIVEN


def dense(self, q, k, keep):
    return DenseOperator(self.reference(q, k, keep), keep)


class Quadratic(Linear):
    operator = dense


class QuadraticWithMask(Linear):
    def operator(self, q, k, keep):
        return super().operator(q, k, keep) if keep is None else dense(self, q, k, keep)


class QuadraticPolynomial(Linear):
    def operator(self, q, k, keep):
        operator = super().operator(q, k, keep)
        operator._polynomial = lambda c, v: dense(self, q, k, keep)._polynomial(c, v)
        return operator


class Modest(Linear):
    support = Support(**GIVEN | {"time": "N²"})


class Exaggerated(Linear):
    support = Support(**GIVEN | {"memory": "N²"})


class Hoarding(Linear):
    """Its N² time is declared, its N² memory is not."""

    support = Support(**GIVEN | {"time": "N²"})
    operator = dense


class _Chunks(AttentionOperator):
    """Few rows at a time, computed again in the backward pass."""

    def __init__(self, q, k, keep):
        super().__init__(q, keep)
        self.q, self.k = q, k

    def _apply(self, v):
        def rows(q):
            return (q @ self.k.mT).softmax(-1) @ v

        parts = [checkpoint(rows, q, use_reentrant=False) for q in self.q.split(64, 2)]
        return torch.cat(parts, 2)


class Chunked(Linear):
    """Moves N² bytes and holds N: right, and not found."""

    support = Support(**GIVEN | {"time": "N²"})

    def operator(self, q, k, keep):
        return _Chunks(q, k, keep)


class Keeping(Linear):
    """Holds a graph after its step."""

    def operator(self, q, k, keep):
        self.last = super().operator(q, k, keep)
        return self.last


class FollowsLength(Linear):
    """Its state does not show max_len."""

    def operator(self, q, k, keep):
        return super().operator(q * self.max_len, k, keep)


class Forgotten(Linear):
    """A table that no state restores."""

    def __init__(self, **given):
        super().__init__(**given)
        self.register_buffer("table", torch.arange(8.0), persistent=False)

    def operator(self, q, k, keep):
        return super().operator(q + self.table.to(q.dtype), k, keep)


class Needy(Linear):
    def finish(self, y):
        return y - y.detach().amax(-2, keepdim=True)


class Infectious(Linear):
    """Without tokens 0/0, in the gradient of a weight."""

    def __init__(self, **given):
        super().__init__(**given)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, q, k, keep=None, x=None):
        return dense(self, q * (self.weight * k.mean()), k, keep)


class FixedBatch(Linear):
    def operator(self, q, k, keep):
        return super().operator(q.view(len(q), *q.shape[1:]), k, keep)


class FixedLength(Linear):
    def operator(self, q, k, keep):
        return super().operator(q + torch.zeros(int(q.shape[2]), 1), k, keep)


class LooksAtValues(Linear):
    def operator(self, q, k, keep):
        return super().operator(q if q.sum() > 0 else 2 * q, k, keep)


MISBEHAVED = {
    "growth": (
        Quadratic,
        QuadraticWithMask,
        QuadraticPolynomial,
        Modest,
        Exaggerated,
        Hoarding,
    ),
    "copies": (Keeping,),
    "lengths": (FollowsLength,),
    "meta": (Forgotten,),
    "no_tokens": (Needy, Infectious),
    "export": (FixedBatch, FixedLength, LooksAtValues),
}
