"""What an attention declares of itself is true."""

import math
from collections.abc import Callable
from functools import partial
from typing import get_args

import torch
from torch import nn

from attention_zoo.attention import Growth
from attention_zoo.build import build_attention
from attention_zoo.costs import count_flops, count_operations, cpu_allocator_peak
from attention_zoo.flops import Cost, Inputs
from attention_zoo.spec import attention_of
from attention_zoo.testing.cases import (
    MASKS,
    Case,
    D,
    H,
    agree,
    at,
    attention,
    gradients,
    layer,
    learned,
    operator_of,
    reference_of,
    require,
    unfiltered,
)

# log₂ of the ratio of what N adds from 2N to 4N and from N to 2N; N log N as it is from 1,024 on.
LENGTHS = (1024, 2048, 4096)
EXPONENTS = {"N": 1.0, "N log N": 1.11, "N√N": 1.5, "N²": 2.0}


def declared(spec: str) -> None:
    """It says what it is: a docstring, a paper, growths that there are, reasons where it cannot
    run."""
    cls = attention_of(spec)
    require(cls.__doc__, "it has no docstring", spec)
    require(cls.support.paper, "it names no paper", spec)
    for growth in (cls.support.time, cls.support.memory):
        known = get_args(Growth)
        require(growth in known, f"growth {growth!r} is none of {', '.join(known)}", spec)
    reasons = cls.unsupported("cpu", torch.complex64, 7)
    require(reasons and all(isinstance(reason, str) for reason in reasons), "no reasons", spec)


def rows(spec: str) -> None:
    """Rows sum to 1 where it says so, and after a filter to what a constant is scaled by."""
    if not attention_of(spec).support.rows_sum_to_one:
        return
    module = attention(spec)
    for case in MASKS:
        q, k, _, x = case.tensors()
        operator = operator_of(module, q, k, case.keep, x)
        scale = torch.ones(1, H, 1, 1, dtype=torch.float64)  # of a constant: Ā is then 1 × 1
        for graph_filter in getattr(module, "filters", []):
            scale = graph_filter.reference(scale)
        sums = at(case.rows, operator.dense().sum(-1, keepdim=True))
        agree(sums, at(case.rows, scale.expand_as(sums)), "row sums", case)


def causal(spec: str) -> None:
    """No row depends on a later token, where it says so."""
    if not attention_of(spec).support.causal:
        return
    module, case, t = attention(spec), Case(17), 9
    given = case.tensors()
    later = torch.arange(case.N)[:, None] >= t
    first, second = (
        (operator_of(module, q, k, None, x) @ v)[..., :t, :]
        for q, k, v, x in (given, [part + later for part in given])
    )
    agree(second, first, f"Āv before token {t}, when what comes from it on is another,", case)


def dtypes(spec: str) -> None:
    """In every declared dtype results have it, and stay finite, with their gradients, for q and k
    of deviation 20."""
    for dtype in attention_of(spec).support.dtypes:
        module = attention(spec, dtype)
        for scale in (1.0, 20.0):
            case = Case(17, (17, 9, 1), dtype=dtype, scale=scale)
            q, k, v, x = case.tensors()
            y = operator_of(module, q, k, case.keep, x) @ v
            require(y.dtype == dtype, f"Āv is {y.dtype}", case)
            require(y.isfinite().all(), "Āv is not finite", case)
            wanted = {"q": q, "k": k, "v": v, "x": x, **learned(module)}
            for name, gradient in gradients(y, wanted, torch.randn_like(y)).items():
                require(gradient.isfinite().all(), f"{name} is not finite", case)


def float32(spec: str) -> None:
    """float32 gives the result of float64 to 1e-4 of its norm."""
    if torch.float32 not in attention_of(spec).support.dtypes:
        return
    results = []
    for dtype in (torch.float64, torch.float32):
        case = Case(33, (33, 20, 3), dtype=dtype)
        q, k, v, x = case.tensors()
        y = operator_of(attention(spec, dtype), q, k, case.keep, x) @ v
        results.append(torch.where(case.rows, y, 0.0).double())
    error = ((results[1] - results[0]).norm() / results[0].norm()).item()
    require(error < 1e-4, f"float32 is off by {error:.2g} of the norm", case)


def autocast(spec: str) -> None:
    """Under bfloat16 autocast a layer is within 3 % of float32, with finite gradients, where it
    takes both."""
    if not {torch.float32, torch.bfloat16} <= set(attention_of(spec).support.dtypes):
        return
    module, case = layer(spec, torch.float32), Case(17, (17, 9, 1), dtype=torch.float32)
    x, keep = case.tensors()[3], case.keep
    exact = module(x, keep)
    with torch.autocast("cpu", torch.bfloat16):
        rough = module(x, keep)
    error = ((rough.float() - exact)[keep].norm() / exact[keep].norm()).item()
    found = gradients(rough, learned(module), torch.ones_like(rough))
    for name, gradient in found.items():
        require(gradient.isfinite().all(), f"{name} is not finite under autocast", case)
    require(error < 0.03, f"bfloat16 autocast is off by {error:.2g} of the norm", case)


def growth(spec: str) -> None:
    """Operations (products of matrices, and elements written) and allocator bytes of a forward and
    backward pass grow with N as declared."""
    support = attention_of(spec).support
    steps = [_step(spec, N) for N in LENGTHS]
    for what, measure, stated in (
        ("time", count_operations, support.time),
        ("memory", cpu_allocator_peak, support.memory),
    ):
        short, middle, long = (measure(step) for step in steps)
        exponent = math.log2(max(1, long - middle) / max(1, middle - short))
        require(
            -0.15 <= exponent - EXPONENTS[stated] <= 0.1,
            f"{what} grows with N to the {exponent:.2f}, declared is {stated}",
            f"{short:,}, {middle:,} and {long:,} at N = {LENGTHS}",
        )


def _step(spec: str, N: int) -> Callable[[], None]:
    """A forward and backward pass of one head of width 16, with a mask as in training: Āv and a
    polynomial."""
    module = build_attention(spec, heads=1, head_dim=16, max_len=N, dim=16)
    keep, x = torch.ones(1, N, dtype=torch.bool), torch.randn(1, N, 16)
    q, k, v = torch.randn(3, 1, 1, N, 16).unbind()

    def step() -> None:
        leaves = [part.clone().requires_grad_() for part in (q, k, v)]
        operator = operator_of(module, leaves[0], leaves[1], keep, x)
        y = (operator @ leaves[2]) + operator.polynomial([0.5, 0.3, 0.2], leaves[2])
        y.backward(torch.ones_like(y))
        module.zero_grad(set_to_none=True)

    step()  # what is made once is not counted
    return step


def flops(spec: str) -> None:
    """Where it states a formula of its matrix products, that is what is counted of Āv and of
    polynomials, with a mask and without, forward in eval and backward, too, in training."""
    for training in (False, True):
        module = attention(spec).train(training)
        for case in (Case(33), Case(34, (34, 17, 1))):
            inputs = Inputs(3, H, case.N, D, lengths=case.lengths, dtype=case.dtype)
            cost = module.cost(inputs)
            if cost is None:
                return
            applying = (*cost.applying, *cost.polynomial(2), *cost.polynomial(4))
            stated = Cost(cost.making, applying).flops(training)
            counted, _ = count_flops(partial(_applied, module, case, training))
            what = f"{counted:,} operations are counted, its formula gives {stated:,}"
            require(stated == counted, what, f"training={training}, {case}")


def _applied(module: nn.Module, case: Case, training: bool) -> None:
    q, k, v, x = case.tensors()
    operator = operator_of(module, q, k, case.keep, x)
    loss = (operator @ v).sum()
    for order in (2, 4):
        loss = loss + operator.polynomial([0.2] * (order + 1), v).sum()
    term = unfiltered(module).auxiliary_loss()
    if training:
        (loss if term is None else loss + term).backward()


def head_dims(spec: str) -> None:
    """At its least head width, and at another, it is that of the reference."""
    least, _, step = attention_of(spec).support.head_dims
    for width in (least, least + 4 * step):
        module = build_attention(spec, heads=2, head_dim=width, max_len=9, dim=2 * width).double()
        q, k = torch.randn(2, 1, 2, 9, width, dtype=torch.float64).unbind()
        x = torch.randn(1, 9, 2 * width, dtype=torch.float64)
        dense = operator_of(module, q, k, None, x).dense()
        agree(dense, reference_of(module, q, k, None, x), "dense()", f"heads of width {width}")


def projections(spec: str) -> None:
    """Of q and k it looks at those that it declares and at no others."""
    module, case = attention(spec), Case(33)
    q, k, v, x = case.tensors()
    y = operator_of(module, q, k, None, x) @ v
    for name in ("q", "k"):
        other = {"q": q, "k": k} | {name: q.flip(-2) - k}
        same = torch.equal(y, operator_of(module, other["q"], other["k"], None, x) @ v)
        if name in module.projections:
            require(not same, f"Āv does not change with {name}, one of its projections", case)
        else:
            require(same, f"Āv changes with {name}, which is not among its projections", case)
