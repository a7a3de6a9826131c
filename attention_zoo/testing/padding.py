"""Padding never leaks: neither what stands there, nor how much there is, nor who else is there."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.layer import SelfAttention
from attention_zoo.packing import Packing
from attention_zoo.testing.cases import (
    PADDED,
    C,
    Case,
    agree,
    at,
    attention,
    gradients,
    layer,
    learned,
    operator_of,
    require,
    unfiltered,
)

HOLES = Case(33, (33, 20, 3), holes=True)
APPLIED = {
    "Āv": lambda operator, v: operator @ v,
    "a polynomial": lambda operator, v: operator.polynomial([0.5, 0.3, 0.2], v),
}


def poison(spec: str) -> None:
    """NaN or 1e30 at padded positions changes no result and no gradient of a layer, bit for bit, in
    eval or in training; nor does it in q, k and v of the operator."""
    for case in (PADDED, HOLES):
        for training in (False, True):
            poisoned_layer(layer(spec).train(training), case)
        keep, clean = case.keep, case.tensors()
        dirty = [
            torch.where(case.rows, part, float("nan")) if part.dim() == 4 else part
            for part in clean
        ]
        for name, apply in APPLIED.items():
            a, b = (
                at(case.rows, apply(operator_of(attention(spec), q, k, keep, x), v))
                for q, k, v, x in (clean, dirty)
            )
            require(torch.equal(a, b), f"{name} of the operator lets NaN at pads through", case)


def poisoned_layer(module: SelfAttention, case: Case) -> None:
    keep, x = case.real, case.tensors()[3].detach()
    upstream = at(keep[..., None], torch.randn_like(x))
    first: dict[str, Tensor] = {}
    for filling in (0.0, float("nan"), 1e30):
        filled = torch.where(keep[..., None], x, filling).requires_grad_()
        y = _seeded(module, filled, keep)
        found = {"y": at(keep[..., None], y)}
        found |= gradients(y, {"x": filled, **learned(module)}, upstream)
        first = first or found
        for name, value in found.items():
            same = torch.equal(value, first[name])
            require(same, f"{name} of a layer changes with {filling} at pads", case)
    still = not first["gradient of x"][~keep].any()
    require(still, "padded positions of a layer's x get a gradient", case)


def amount(spec: str) -> None:
    """Neither padding to a greater length nor the other examples of a batch change a real row, of
    Āv or of a layer's result, in eval or in training; nor does padding a term of the loss."""
    module = attention(spec)
    for case in (PADDED, Case(33, (33, 20, 3))):
        parts = [part.detach() for part in case.tensors()]

        def applied(keep: Tensor | None, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
            return operator_of(module, q, k, keep, x) @ v

        _unchanged(applied, parts, "Āv", case)
        for training in (False, True):
            unchanged_layer(layer(spec).train(training), parts[3], case)


def unchanged_layer(module: SelfAttention, x: Tensor, case: Case) -> None:
    if module.training and _draws(module, x):
        return  # of another shape it draws otherwise
    _unchanged(lambda keep, x: _seeded(module, x, keep), [x], "the result of a layer", case)
    base = unfiltered(module.attention)
    terms = []
    for more in (0, 40):
        _seeded(module, F.pad(x, (0, 0, 0, more), value=3.0), F.pad(case.real, (0, more)))
        terms.append(base.auxiliary_loss())
    first, further = terms
    if first is not None and further is not None:
        require(first.dim() == 0 and first.isfinite(), "no finite scalar for the loss", case)
        agree(further, first, "the term of the loss, padded further", case)


def _unchanged(
    compute: Callable[..., Tensor],  # (keep, *parts) to (B, …, N, ·)
    parts: Sequence[Tensor],  # each (B, …, N, ·)
    what: str,
    case: Case,
) -> None:
    together = compute(case.keep, *parts)
    for b, n in enumerate(case.lengths or ()):
        alone = compute(None, *(part[b : b + 1, ..., :n, :] for part in parts))
        what_of = f"{what}, example {b} in its batch,"
        agree(together[b : b + 1, ..., :n, :], alone, what_of, case)
    for more in (1, 40):
        padded = (F.pad(part, (0, 0, 0, more), value=3.0) for part in parts)
        further = compute(F.pad(case.real, (0, more)), *padded)
        for b, n in enumerate(case.lengths or ()):
            what_of = f"{what}, example {b} with {more} more padded positions,"
            agree(further[b, ..., :n, :], together[b, ..., :n, :], what_of, case)


def empty(spec: str) -> None:
    """An example with no real token gives zeros and finite gradients, and so does a batch."""
    module = attention(spec)
    for case in (Case(17, (17, 0, 0)), Case(17, (0, 0, 0)), Case(1, (0, 1, 0))):
        q, k, v, x = case.tensors()
        y = operator_of(module, q, k, case.keep, x) @ v
        nothing = ~case.real.any(-1)
        require(not y[nothing].any(), "an example with no real token does not give 0", case)
        wanted = {"q": q, "k": k, "v": v, "x": x, **learned(module)}
        for name, gradient in gradients(y, wanted, torch.ones_like(y)).items():
            require(gradient.isfinite().all(), f"{name} is not finite", case)
        step = layer(spec).train()
        y = step(torch.randn(3, case.N, C, dtype=torch.float64), case.keep)
        term = unfiltered(step.attention).auxiliary_loss()
        y = y if term is None else y + term
        for name, gradient in gradients(y, learned(step), torch.ones_like(y)).items():
            require(gradient.isfinite().all(), f"{name} of a layer is not finite", case)


def packed(spec: str) -> None:
    """Of a packed batch a layer gives the rows, the gradients and the term of the loss that it
    gives of the padded one, whether examples are worked on alone or together."""
    for case in (Case(33, (33, 20, 33)), Case(33, (3, 0, 20))):
        x = case.tensors()[3]
        upstream = at(case.real[..., None], torch.randn_like(x))
        for training in (False, True):
            module = layer(spec).train(training)
            if training and (_draws(module, x) or not case.real.any(-1).all()):
                continue  # otherwise of another shape; a term counts examples without a token
            wanted, found = {"x": x, **learned(module)}, []
            for packing in (None, Packing(case.real, together=1), Packing(case.real, together=99)):
                y = _padded_result(module, x, case.real, packing)
                term = module.auxiliary_loss()
                loss = (y * upstream).sum() + (0.0 if term is None else term)
                of = gradients(loss, wanted, torch.ones_like(loss))
                found.append({"the result": at(case.real[..., None], y), "the loss": loss, **of})
            for name, value in found[0].items():
                for other in found[1:]:
                    agree(other[name], value, f"{name} of a packed layer", case, 1e-9)


def _padded_result(
    module: SelfAttention, x: Tensor, keep: Tensor, packing: Packing | None
) -> Tensor:
    if packing is None:
        return module(x, keep)
    B, N, C = x.shape
    tokens = packing.pack(torch.arange(B * N).view(B, N))
    y = module(x.reshape(B * N, C)[tokens], packing)
    return x.new_zeros(B * N, C).index_copy(0, tokens, y).view(B, N, C)


def _draws(module: SelfAttention, x: Tensor) -> bool:
    return not torch.equal(_seeded(module, x, None, 0), _seeded(module, x, None, 1))


def _seeded(module: nn.Module, x: Tensor, keep: Tensor | None, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return module(x, keep)
