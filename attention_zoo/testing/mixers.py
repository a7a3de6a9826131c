"""What is asked of mixers, through their layers: all that does not need an Ā."""

import itertools
from functools import partial

import torch
from torch import Tensor

from attention_zoo.costs import count_flops
from attention_zoo.errors import UsageError
from attention_zoo.flops import Inputs
from attention_zoo.layer import build_layer
from attention_zoo.spec import attention_of
from attention_zoo.testing.cases import (
    MASKS,
    PADDED,
    C,
    Case,
    CheckFailed,
    H,
    agree,
    at,
    gradients,
    layer,
    layer_reference,
    learned,
    require,
)
from attention_zoo.testing.growth import grows_as_declared
from attention_zoo.testing.padding import HOLES, poisoned_layer, unchanged_layer


def reference(spec: str) -> None:
    """The result of a layer and the gradients of x and of its weights are those of the reference,
    with and without padding, also of one or two real tokens."""
    module = layer(spec)
    for case in MASKS:
        x, keep = case.tensors()[3], case.keep
        wanted, rows = {"x": x, **learned(module)}, case.real[..., None]
        upstream = at(rows, torch.randn_like(x))
        ours, theirs = at(rows, module(x, keep)), at(rows, layer_reference(module, keep, x))
        agree(ours, theirs, "the result", case)
        expected = gradients(theirs, wanted, upstream)
        for name, gradient in gradients(ours, wanted, upstream).items():
            agree(gradient, expected[name], name, case)


def poison(spec: str) -> None:
    """NaN or 1e30 at padded positions changes no result and no gradient of a layer, bit for bit, in
    eval or in training."""
    for case, training in itertools.product((PADDED, HOLES), (False, True)):
        poisoned_layer(layer(spec).train(training), case)


def amount(spec: str) -> None:
    """Neither padding to a greater length nor the other examples of a batch change a real row, in
    eval or in training; nor does padding a term of the loss."""
    for case in (PADDED, Case(33, (33, 20, 3))):
        for training in (False, True):
            unchanged_layer(layer(spec).train(training), case.tensors()[3].detach(), case)


def empty(spec: str) -> None:
    """An example with no real token, or a batch of no tokens, has finite gradients."""
    module = layer(spec).train()
    cases = [Case(17, lengths).tensors()[3] for lengths in ((17, 0, 0), (0, 0, 0))]
    masks = [Case(17, (17, 0, 0)).keep, Case(17, (0, 0, 0)).keep]
    for B, N in ((0, 5), (2, 0), (0, 0)):
        cases.append(torch.zeros(B, N, C, dtype=torch.float64, requires_grad=True))
        masks.append(torch.ones(B, N, dtype=torch.bool))
    for x, keep in zip(cases, masks, strict=True):
        y = module(x, keep)
        require(y.shape == x.shape, f"the result is {tuple(y.shape)}", tuple(x.shape))
        for name, found in gradients(y, {"x": x, **learned(module)}, torch.ones_like(y)).items():
            require(found.isfinite().all(), f"{name} is not finite", f"{tuple(x.shape)}, {keep}")


def dtypes(spec: str) -> None:
    """In every declared dtype results have it, and stay finite, with their gradients, for an x of
    deviation 20."""
    for dtype in attention_of(spec).support.dtypes:
        module = layer(spec, dtype)
        for scale in (1.0, 20.0):
            case = Case(17, (17, 9, 1), dtype=dtype, scale=scale)
            x = (case.tensors()[3] * scale).detach().requires_grad_()
            y = module(x, case.keep)
            require(y.dtype == dtype, f"the result is {y.dtype}", case)
            found = gradients(y, {"x": x, **learned(module)}, torch.randn_like(y))
            for name, value in {"the result": y, **found}.items():
                require(value.isfinite().all(), f"{name} is not finite", case)


def float32(spec: str) -> None:
    """float32 gives the result of float64 to 1e-4 of its norm."""
    if torch.float32 not in attention_of(spec).support.dtypes:
        return
    case, results = Case(33, (33, 20, 3)), []
    x = case.tensors()[3]
    for dtype in (torch.float64, torch.float32):
        y = layer(spec, dtype)(x.to(dtype), case.keep)
        results.append(at(case.real[..., None], y).double())
    error = ((results[1] - results[0]).norm() / results[0].norm()).item()
    require(error < 1e-4, f"float32 is off by {error:.2g} of the norm", case)


def causal(spec: str) -> None:
    """Where it declares so, no row depends on a later token."""
    if attention_of(spec).support.causal == "never":
        return
    module, t = layer(spec), 9
    for case in (Case(17), Case(17, (17, 12, 17))):
        x = case.tensors()[3]
        other = torch.where(torch.arange(case.N)[:, None] < t, x, 3 * x + 1)
        first, second = (module(part, case.keep)[:, :t] for part in (x, other))
        agree(second, first, f"the result before token {t}, when later ones are others,", case)
        (reached,) = gradients(first, {"x": x}, torch.ones_like(first)).values()
        scale = reached.abs().max().item()
        require(reached[:, t:].abs().max() <= 1e-9 * scale, "a gradient reaches later ones", case)


def growth(spec: str) -> None:
    """Operations and memory of a forward and backward pass of a layer grow with N as declared."""

    def made(N: int) -> partial[None]:
        module = build_layer(spec, dim=C, heads=H, max_len=N)
        return partial(_step, module, torch.randn(1, N, C), torch.ones(1, N, dtype=torch.bool))

    grows_as_declared(spec, made)


def _step(module: torch.nn.Module, x: Tensor, keep: Tensor) -> None:
    module(x.clone().requires_grad_(), keep).sum().backward()
    module.zero_grad(set_to_none=True)


def flops(spec: str) -> None:
    """Where it states a formula of its matrix products, that is what is counted."""
    for training in (False, True):
        module = layer(spec).train(training)
        for case in (Case(33), Case(34, (34, 17, 1))):
            x = case.tensors()[3]
            inputs = Inputs(len(x), H, case.N, C // H, lengths=case.lengths, dtype=case.dtype)
            if (cost := module.cost(inputs)) is None:
                return

            counted, _ = count_flops(partial(_pass, module, x, case.keep, training))
            stated = cost.flops(training)
            what = f"{counted:,} operations are counted, its formula gives {stated:,}"
            require(stated == counted, what, f"training={training}, {case}")


def _pass(module: torch.nn.Module, x: Tensor, keep: Tensor | None, training: bool) -> None:
    y = module(x, keep).sum()
    if training:
        y.backward()


def derivative(spec: str) -> None:
    """The gradient is the derivative of what it computes, by central differences, and so is that of
    the gradient where second derivatives are declared."""
    module, case, step = layer(spec), PADDED, 1e-6
    rows, x = case.real[..., None], case.tensors()[3].detach()
    u, t = torch.randn_like(x), torch.randn_like(x)
    second = attention_of(spec).support.second_derivatives

    def value(x: Tensor) -> Tensor:
        return (at(rows, module(x, case.keep)) * u).sum()

    def slope(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (found,) = torch.autograd.grad(value(x), x, create_graph=second)
        return (at(rows, found) * t).sum()

    differences = (value(x + step * at(rows, t)) - value(x - step * at(rows, t))) / (2 * step)
    agree(slope(x), differences, "the gradient along a direction", case, tolerance=1e-5)
    if not second:
        return
    at_x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(value(at_x), at_x, create_graph=True)
    along = (at(rows, found) * t).sum()
    if not along.requires_grad:
        return  # it is linear
    (curved,) = torch.autograd.grad(along, at_x, allow_unused=True, materialize_grads=True)
    differences = (slope(x + step * at(rows, t)) - slope(x - step * at(rows, t))) / (2 * step)
    found = (at(rows, curved) * t).sum()
    agree(found, differences, "the second derivative along a direction", case, tolerance=1e-4)


def deterministic(spec: str) -> None:
    """In eval the same input gives the same result, bit for bit, and the global generator is left
    alone."""
    module, x = layer(spec), PADDED.tensors()[3]
    before = torch.get_rng_state()
    first, second = (module(x, PADDED.keep) for _ in range(2))
    require(torch.equal(first, second), "one input, two results", PADDED)
    require(
        torch.equal(before, torch.get_rng_state()), "it draws from the global generator", PADDED
    )


def refusals(spec: str) -> None:
    """Wrong shapes, dtypes and masks are refused in one line."""
    module, x = build_layer(spec, dim=C, heads=H, max_len=8), torch.randn(3, 8, C)
    wrong = {
        "x must have shape": lambda: module(x[0]),
        "x must have width": lambda: module(x[..., :4]),
        "x must be floating-point": lambda: module(x.long()),
        "9 tokens are more than max_len=8": lambda: module(torch.randn(1, 9, C)),
        "keep must be a bool": lambda: module(x, torch.ones(3, 9, dtype=torch.bool)),
        "for a mask of 0 and 1": lambda: module(x, torch.ones(3, 8)),
    }
    for words, call in wrong.items():
        try:
            call()
        except UsageError as error:
            require(words in str(error), f"{error} does not say {words!r}", spec)
        else:
            raise CheckFailed(f"what should be refused ({words}) is taken; {spec}")
