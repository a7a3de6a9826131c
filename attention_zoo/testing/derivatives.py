"""Derivatives of every order and torch's function transforms are right, or raise."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from attention_zoo.spec import attention_of, parse_spec
from attention_zoo.testing.algebra import dense_polynomial
from attention_zoo.testing.cases import (
    PADDED,
    Built,
    Case,
    CheckFailed,
    agree,
    at,
    attention,
    gradients,
    layer,
    learned,
    operator_of,
    reference_of,
    require,
)
from attention_zoo.testing.padding import HOLES

APPLIED_ONCE, POLYNOMIAL = [0.0, 1.0], [0.3, 0.5, -0.2]
PARTS = ("q", "k", "v", "x")


def derivative(spec: str) -> None:
    """Its gradient is the derivative of what it computes, by central differences, and is not where
    it declares a surrogate gradient."""
    module, differs, step = attention(spec), False, 1e-6
    for case in (Case(7), PADDED):
        given, apply = case.tensors(), _applied(module, case)
        t, u, expected = _directional(apply, given)
        up, down = (
            apply(*(x.detach() + h * part for x, part in zip(given, t, strict=True)))
            for h in (step, -step)
        )
        found = (u * (up - down)).sum() / (2 * step)
        if attention_of(spec).support.surrogate_gradient:
            differs |= not torch.isclose(found, expected, rtol=1e-3, atol=1e-3)
        else:
            agree(expected, found, "the gradient along a direction", case, tolerance=1e-5)
    if attention_of(spec).support.surrogate_gradient:
        require(differs, "its surrogate gradient is the derivative itself", spec)


def second_derivatives(spec: str) -> None:
    """Hessian-vector products of Āv and of a polynomial are those of the reference; where it
    declares none, asking for one raises, at its defaults: options may choose another kernel."""
    module = attention(spec)
    if not attention_of(spec).support.second_derivatives:
        return None if parse_spec(spec).attention.options else _refused(module)
    for case in (Case(7), PADDED, HOLES):
        q, k, v, x = case.tensors()
        rows, keep = case.rows, case.keep
        wanted = dict(zip(PARTS, (q, k, v, x), strict=True)) | learned(module)
        upstream = at(rows, torch.randn_like(v)).requires_grad_()
        for c in (APPLIED_ONCE, POLYNOMIAL):
            ours = at(rows, operator_of(module, q, k, keep, x).polynomial(c, v))
            matrix = at(rows, reference_of(module, q, k, keep, x))
            theirs = at(rows, dense_polynomial(matrix, c, at(rows, v)))
            expected = _curvature(theirs, wanted, upstream)
            for name, value in _curvature(ours, wanted, upstream).items():
                agree(value, expected[name], f"{name} by a gradient, polynomial {c},", case)


def _curvature(y: Tensor, wanted: dict[str, Tensor], upstream: Tensor) -> dict[str, Tensor]:
    """The gradient of Σ gradient · direction, directions drawn."""
    leaves = list(wanted.values())
    first = torch.autograd.grad(y, leaves, upstream, create_graph=True, allow_unused=True)
    draws = torch.Generator().manual_seed(3)
    total = _sum(
        part * torch.randn(part.shape, generator=draws, dtype=part.dtype)
        for part in first
        if part is not None
    )
    return gradients(total, wanted | {"upstream": upstream}, torch.ones_like(total))


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return sum((term.sum() for term in terms), start=torch.zeros((), dtype=torch.float64))


def _applied(module: Built, case: Case) -> Callable[..., Tensor]:
    """(q, k, v, x) to Āv plus a polynomial, at real rows."""

    def apply(q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
        operator = operator_of(module, q, k, case.keep, x)
        return at(case.rows, operator @ v + operator.polynomial(POLYNOMIAL, v))

    return apply


def _directional(
    apply: Callable[..., Tensor], given: tuple[Tensor, ...]
) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """Directions t of what is given and u of the result, and (Jᵀu)·t by reverse mode."""
    y, draws = apply(*given), torch.Generator().manual_seed(4)
    *t, u = (torch.randn(x.shape, generator=draws, dtype=x.dtype) for x in (*given, y))
    reverse = gradients(y, dict(zip(PARTS, given, strict=True)), u)
    return tuple(t), u, _sum(a * b for a, b in zip(reverse.values(), t, strict=True))


def _refused(module: Built) -> None:
    for case in (Case(17), PADDED):
        q, k, v, x = case.tensors()
        behind = torch.ones_like(v).requires_grad_()  # as a projection behind the attention is
        y = (operator_of(module, q, k, case.keep, x) @ v) * behind
        first = torch.autograd.grad(y.square().sum(), (q, k, v), create_graph=True)
        total = _sum(part.square() for part in first)
        for by in ((q,), (behind,), (q, k, v, behind)):
            try:
                torch.autograd.grad(total, by, retain_graph=True)
            except RuntimeError:  # NotImplementedError is one
                continue
            raise CheckFailed(f"a second derivative is given, but none is declared; {case}")


def jvps(spec: str) -> None:
    """Forward-mode derivatives of Āv agree with reverse mode: u·(Jt) = (Jᵀu)·t; of a kernel without
    second derivatives they may raise instead."""
    module = attention(spec)
    for case in (Case(7), PADDED):
        given, apply = case.tensors(), _applied(module, case)
        t, u, expected = _directional(apply, given)
        try:
            change = jvp(apply, tuple(x.detach() for x in given), t)[1]
        except RuntimeError:
            if attention_of(spec).support.second_derivatives:
                raise
            return
        agree((u * change).sum(), expected, "u·(Jt)", case)


def vmaps(spec: str) -> None:
    """vmap over the examples, mask included, gives the batch's result and forward-mode derivative,
    and gradients of a layer by example those of each example; vmap over upstream gradients gives
    each one's. It raises where `support` says that vmap does not go through."""
    module, case = attention(spec), PADDED
    q, k, v, x = (part.detach() for part in case.tensors())

    def one(q: Tensor, k: Tensor, v: Tensor, x: Tensor, keep: Tensor) -> Tensor:
        operator = operator_of(module, q[None], k[None], keep[None], x[None])
        return (operator @ v[None] + operator.polynomial(POLYNOMIAL, v[None]))[0]

    if not attention_of(spec).support.vmap:
        try:
            vmap(one)(q, k, v, x, case.real)
        except RuntimeError:
            return
        raise CheckFailed(f"vmap goes through, but vmap=False is declared; {case}")
    expected = _applied(module, case)(q, k, v, x)
    agree(at(case.rows, vmap(one)(q, k, v, x, case.real)), expected, "Āv by vmap", case)
    if attention_of(spec).support.second_derivatives:
        given, t = (q, k, v, x), (k, v, q, x)
        batch = jvp(_applied(module, case), given, t)[1]
        nested = jvp(lambda q, k, v, x: vmap(one)(q, k, v, x, case.real), given, t)[1]
        agree(at(case.rows, nested), batch, "a forward-mode derivative of vmap", case)
    _by_example(spec, case)
    _by_upstream(one, (q, k, v, x), case)


def _by_example(spec: str, case: Case) -> None:
    module = layer(spec)
    weights, x = learned(module), case.tensors()[3].detach()

    def loss(weights: dict[str, Tensor], x: Tensor, keep: Tensor) -> Tensor:
        y = functional_call(module, weights, (x[None], keep[None]))
        return at(keep[:, None], y[0]).square().sum()

    found = vmap(grad(loss), in_dims=(None, 0, 0))(
        {name: weight.detach() for name, weight in weights.items()}, x, case.real
    )
    for b in range(len(x)):
        alone = loss(weights, x[b], case.real[b])
        for name, expected in gradients(alone, weights, torch.ones_like(alone)).items():
            name = name.removeprefix("gradient of ")
            agree(found[name][b], expected, f"gradient of {name} by example", case)


def _by_upstream(one: Callable[..., Tensor], given: tuple[Tensor, ...], case: Case) -> None:
    leaves = [part[0].requires_grad_() for part in given]
    y = one(*leaves, case.real[0])
    upstream = torch.randn(2, *y.shape, dtype=y.dtype)

    def pulled(u: Tensor) -> tuple[Tensor, ...]:
        found = torch.autograd.grad(y, leaves[:3], u, retain_graph=True, allow_unused=True)
        return tuple(part for part in found if part is not None)

    together = vmap(pulled)(upstream)
    for i, u in enumerate(upstream):
        for part, expected in zip(together, pulled(u), strict=True):
            agree(part[i], expected, "a gradient by vmap over upstream gradients", case)
    require(together, "no gradient", case)
