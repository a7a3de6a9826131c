"""Polynomials of a factored attention, with a backward pass that adds up nothing as long as N."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from attention_zoo.derivatives import Rules, autograd_function, save, tangent


def applied_polynomial(
    coefficients: Tensor,  # (m + 1, H): c₀, …, cₘ of each head
    left: Tensor,  # (B, H, N, R)
    keys: Tensor,  # (B, H, N, R), so that Ā = left·keysᵀ
    v: Tensor,  # (B, H, N, D)
) -> Tensor:
    """Σ cₖ Āᵏ v by m applications of Ā. Autograd would add up m gradients of either factor, each as
    wide as R; here each is one product of the applications' values side by side."""
    return _Applied(coefficients, left, keys, v)[0]


def _per_head(c: Tensor) -> Tensor:  # (H,) -> (H, 1, 1)
    return c[:, None, None]


def _combined(coefficients: Sequence[Tensor], states: Sequence[Tensor]) -> Tensor:
    """Σ cₖ xₖ."""
    total = _per_head(coefficients[0]) * states[0]
    for c, x in zip(coefficients[1:], states[1:], strict=True):
        total = torch.addcmul(total, _per_head(c), x)
    return total


def _inner(x: Tensor, y: Tensor) -> Tensor:  # (B, H, ·, ·) twice -> (H,)
    return (x * y).sum((0, 2, 3))


@autograd_function
class _Applied(Rules):
    """Returns y and what it was made of: v₁, …, vₘ₋₁ with vₖ = Āᵏ v, and s₀, …, sₘ₋₁ (R×D) with
    sₖ = keysᵀ vₖ, of which y = c₀ v + left Σ cₖ sₖ₋₁."""

    @staticmethod
    def forward(c: Tensor, left: Tensor, keys: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        values, states = [v], [(v.mT @ keys).mT]
        for _ in range(len(c) - 2):
            values.append(left @ states[-1])
            states.append((values[-1].mT @ keys).mT)
        y = torch.addcmul(left @ _combined(c[1:].unbind(), states), _per_head(c[0]), v)
        return y, *values[1:], *states

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        save(ctx, *inputs, *output[1:])

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        c, left, keys, v, *made = ctx.saved_tensors
        m = len(c) - 1
        values, states = [v, *made[: m - 1]], made[m - 1 :]
        through = left.mT @ dy  # of Σ cₖ sₖ₋₁
        dv: list[Tensor] = []  # of vₘ₋₁, …, v₀, to begin with
        ds: list[Tensor] = []
        for k in reversed(range(m)):
            d = torch.addcmul(given[m - 1 + k], _per_head(c[k + 1]), through)
            ds.append(d + left.mT @ dv[-1] if dv else d)
            dv.append(keys @ ds[-1] + given[k - 1] if k else keys @ ds[-1])
        ds, dv = ds[::-1], dv[::-1]
        dc = [_inner(dy, v), *(_inner(through, s) for s in states)]
        combined = _combined(c[1:].unbind(), states)
        dleft = torch.cat([dy, *dv[1:]], -1) @ torch.cat([combined, *states[:-1]], -1).mT
        dkeys = torch.cat(values, -1) @ torch.cat(ds, -1).mT
        return torch.stack(dc), dleft, dkeys, torch.addcmul(dv[0], _per_head(c[0]), dy)

    @staticmethod
    def jvp(
        ctx: Any,
        dc: Tensor | None,
        dleft: Tensor | None,
        dkeys: Tensor | None,
        dv: Tensor | None,
    ) -> tuple[Tensor, ...]:
        c, left, keys, v, *made = ctx.saved_tensors
        dc, dleft, dkeys = tangent(dc, c), tangent(dleft, left), tangent(dkeys, keys)
        m = len(c) - 1
        values, states = [v, *made[: m - 1]], made[m - 1 :]
        of_values, of_states = [tangent(dv, v)], []
        for k in range(m):
            of_states.append((values[k].mT @ dkeys + of_values[k].mT @ keys).mT)
            if k < m - 1:
                of_values.append(dleft @ states[k] + left @ of_states[k])
        combined = _combined(c[1:].unbind(), states)
        of_combined = _combined(c[1:].unbind(), of_states) + _combined(dc[1:].unbind(), states)
        dy = dleft @ combined + left @ of_combined
        dy = dy + _per_head(dc[0]) * v + _per_head(c[0]) * of_values[0]
        return dy, *of_values[1:], *of_states


def closed_polynomial(
    coefficients: Tensor,  # (m + 1, H): c₀, …, cₘ of each head
    left: Tensor,  # (B, H, N, R)
    keys: Tensor,  # (B, H, N, R), so that Ā = left·keysᵀ
    v: Tensor,  # (B, H, N, D)
) -> Tensor:
    """Σ cₖ Āᵏ v = c₀ v + left (c₁ + c₂ M + c₃ M² + …) keysᵀ v with M = keysᵀ left (R×R)."""
    return _Closed(coefficients, left, keys, v)[0]


def _horner(c: Tensor, M: Tensor, s: Tensor) -> list[Tensor]:
    """x₁, …, xₘ (R×D) of xₘ = cₘ s and xₖ = M xₖ₊₁ + cₖ s: x₁ = (c₁ + c₂ M + …) s."""
    states = [_per_head(c[-1]) * s]
    for k in range(len(c) - 2, 0, -1):
        # s first: the sum lies in memory as s does, and M of weight 0 changes not even rounding.
        states.append(_per_head(c[k]) * s + M @ states[-1])
    return states[::-1]


def _plus(total: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """total + a b, in one pass."""
    flat = (x.reshape(-1, *x.shape[2:]) for x in (total, a, b))
    return torch.baddbmm(*flat).view(total.shape)


@autograd_function
class _Closed(Rules):
    """Returns y, s = keysᵀ v, M, and the states of Horner's rule."""

    @staticmethod
    def forward(c: Tensor, left: Tensor, keys: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        s, M = (v.mT @ keys).mT, keys.mT @ left
        states = _horner(c, M, s)
        return torch.addcmul(left @ states[0], _per_head(c[0]), v), s, M, *states

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        save(ctx, *inputs, *output[1:])

    @staticmethod
    def backward(
        ctx: Any, dy: Tensor, ds: Tensor, dM: Tensor, *given: Tensor
    ) -> tuple[Tensor, ...]:
        c, left, keys, v, s, M, *states = ctx.saved_tensors
        dc, through = [_inner(dy, v)], left.mT @ dy + given[0]  # of x₁, then of x₂, …
        for k in range(1, len(c)):
            if k > 1:
                dM = dM + through @ states[k - 1].mT
                through = M.mT @ through + given[k - 1]
            dc.append(_inner(through, s))
            ds = torch.addcmul(ds, _per_head(c[k]), through)
        dleft = _plus(keys @ dM, dy, states[0].mT)
        dkeys = _plus(left @ dM.mT, v, ds.mT)
        return torch.stack(dc), dleft, dkeys, torch.addcmul(keys @ ds, _per_head(c[0]), dy)

    @staticmethod
    def jvp(
        ctx: Any,
        dc: Tensor | None,
        dleft: Tensor | None,
        dkeys: Tensor | None,
        dv: Tensor | None,
    ) -> tuple[Tensor, ...]:
        c, left, keys, v, s, M, *states = ctx.saved_tensors
        dc, dv = tangent(dc, c), tangent(dv, v)
        dleft, dkeys = tangent(dleft, left), tangent(dkeys, keys)
        ds = (v.mT @ dkeys + dv.mT @ keys).mT
        dM = dkeys.mT @ left + keys.mT @ dleft
        dx = [_per_head(dc[-1]) * s + _per_head(c[-1]) * ds]
        for k in range(len(c) - 2, 0, -1):
            dx.append(M @ dx[-1] + dM @ states[k] + _per_head(dc[k]) * s + _per_head(c[k]) * ds)
        dy = dleft @ states[0] + left @ dx[-1] + _per_head(dc[0]) * v + _per_head(c[0]) * dv
        return dy, ds, dM, *dx[::-1]
