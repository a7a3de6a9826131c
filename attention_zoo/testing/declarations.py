"""What an attention declares of itself is true."""

from functools import partial
from typing import get_args

import torch

from attention_zoo.attention import Growth
from attention_zoo.costs import count_flops
from attention_zoo.flops import Cost, Inputs
from attention_zoo.spec import attention_of
from attention_zoo.testing.cases import (
    MASKS,
    Built,
    Case,
    D,
    H,
    agree,
    at,
    attention,
    built,
    gradients,
    layer,
    learned,
    operator_of,
    reference_of,
    require,
    unfiltered,
)


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


def dtypes(spec: str) -> None:
    """In every declared dtype results have it, and stay finite, with their gradients, for q and k
    of deviation 20, and in a layer for such an x; so does Ā² of many tokens that are alike, whose
    rows may sum to N."""
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
            whole = layer(spec, dtype)
            y = whole(x, case.keep)
            found = gradients(y, {"x": x, **learned(whole)}, torch.randn_like(y))
            for name, value in {"its result": y, **found}.items():
                require(value.isfinite().all(), f"{name} is not finite in a layer", case)
        many = 512
        if many**2 < torch.finfo(dtype).max:
            continue
        module = built(spec, heads=1, head_dim=D, max_len=many, dim=D).to(dtype).eval()
        alike = torch.ones(1, 1, many, D, dtype=dtype)
        with torch.no_grad():
            operator = operator_of(module, alike, alike, None, alike[0])
            squared = operator.polynomial([0.0, 0.0, 1.0], alike)
        require(squared.isfinite().all(), f"Ā²v is not finite in {dtype}", f"{many} tokens alike")


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


def _applied(module: Built, case: Case, training: bool) -> None:
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
        module = built(spec, heads=2, head_dim=width, max_len=9, dim=2 * width).double()
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
