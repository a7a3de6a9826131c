"""One operator is one matrix, that of the paper's equations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from attention_zoo.operators.coefficients import Coefficient
from attention_zoo.testing.cases import (
    CAUSAL,
    MASKS,
    PADDED,
    C,
    Case,
    H,
    agree,
    at,
    attention,
    gradients,
    layer,
    layer_reference,
    learned,
    operator_of,
    reference_of,
    require,
)


def reference(spec: str) -> None:
    """dense(), Ā v and the gradients of q, k, v, x and its own weights are those of the reference,
    with and without padding."""
    module = attention(spec)
    for case in MASKS:
        q, k, v, x = case.tensors()
        rows, keep = case.rows, case.keep
        wanted = {"q": q, "k": k, "v": v, "x": x, **learned(module)}
        upstream = at(rows, torch.randn_like(v))
        operator = operator_of(module, q, k, keep, x)
        matrix = reference_of(module, q, k, keep, x)
        columns = rows.mT if keep is not None else rows
        agree(at(rows, operator.dense()), at(rows & columns, matrix), "dense()", case)
        ours, theirs = operator @ v, at(rows, at(rows, matrix) @ at(rows, v))
        agree(at(rows, ours), theirs, "Ā v", case)
        expected = gradients(theirs, wanted, upstream)
        for name, gradient in gradients(ours, wanted, upstream).items():
            agree(gradient, expected[name], name, case)


def layers(spec: str) -> None:
    """A layer's result and the gradients of x and of all its weights are those of its projections,
    the reference and the remedies written out, as a model's first layer and as a later one."""
    module = layer(spec)
    for case in (Case(17), *MASKS[5:]):
        x, keep = case.tensors()[3], case.keep
        if not case.real.any(-1).all():
            continue
        rows = torch.tensor(True) if keep is None else keep[..., None]
        first = at(rows, torch.randn(*x.shape[:2], C, dtype=torch.float64))
        upstream, wanted = at(rows, torch.randn_like(x)), {"x": x, **learned(module)}
        for shared, given in ((None, None), ({"values": first}, first)):
            ours, theirs = module(x, keep, shared), layer_reference(module, keep, x, given)
            agree(at(rows, ours), at(rows, theirs), "the result of a layer", case)
            expected = gradients(theirs, wanted, upstream)
            for name, gradient in gradients(ours, wanted, upstream).items():
                agree(gradient, expected[name], f"{name} of a layer", case)


def linear(spec: str) -> None:
    """Ā(av + bw) = aĀv + bĀw; the same values give the same result, bit for bit."""
    q, k, v, x = PADDED.tensors()
    operator = operator_of(attention(spec), q, k, PADDED.keep, x)
    w = v.flip(-1)
    agree(operator @ (2 * v - 3 * w), 2 * (operator @ v) - 3 * (operator @ w), "Ā v", PADDED)
    require(torch.equal(operator @ v, operator @ v), "Ā v is another each time", PADDED)


def repeated(spec: str) -> None:
    """Applied twice it is Ā(Āv) of the same Ā."""
    for case in (Case(33), PADDED):
        q, k, v, x = case.tensors()
        operator = operator_of(attention(spec), q, k, case.keep, x)
        matrix = operator.dense()
        twice = matrix @ at(case.rows, matrix @ at(case.rows, v))
        agree(at(case.rows, operator @ (operator @ v)), at(case.rows, twice), "Ā(Āv)", case)


def polynomial(spec: str) -> None:
    """polynomial(c, v) is Σ cₖ Āᵏ v of the dense reference, in value and gradient, at every
    order."""
    module = attention(spec)
    for case in (Case(17), Case(17, (17, 9, 1)), Case(33, (33, 20, 3), holes=True)):
        q, k, v, x = case.tensors()
        rows, keep = case.rows, case.keep
        generator = torch.Generator().manual_seed(2)
        c = torch.randn(5, H, generator=generator, dtype=torch.float64).requires_grad_()
        wanted = {"q": q, "k": k, "v": v, "x": x, "coefficients": c, **learned(module)}
        upstream = at(rows, torch.randn_like(v))
        # Numbers and tensors; 0.0 leaves its term out.
        choices: tuple[list[Coefficient], ...] = (
            [0.3, c[1]],
            [c[0], c[1], c[2]],
            [0.3, c[1], 0.0, c[3], c[4]],
        )
        for given in choices:
            ours = operator_of(module, q, k, keep, x).polynomial(given, v)
            matrix = at(rows, reference_of(module, q, k, keep, x))
            theirs = at(rows, dense_polynomial(matrix, given, at(rows, v)))
            what = f"polynomial of order {len(given) - 1}"
            agree(at(rows, ours), theirs, what, case)
            expected = gradients(theirs, wanted, upstream)
            for name, gradient in gradients(ours, wanted, upstream).items():
                agree(gradient, expected[name], f"{what}: {name}", case)


def dense_polynomial(matrix: Tensor, coefficients: Sequence[Coefficient], v: Tensor) -> Tensor:
    total, power = torch.zeros_like(v), v
    for c in coefficients:
        total = total + (c.view(-1, 1, 1) if isinstance(c, Tensor) else c) * power
        power = matrix @ power
    return total


def mean(spec: str) -> None:
    """mean(v) is the mean over the real tokens, in every row; of a causal Ā over those up to it."""
    q, k, v, x = PADDED.tensors()
    operator = operator_of(attention(spec), q, k, PADDED.keep, x)
    weights = PADDED.real[:, None].double().expand(-1, PADDED.N, -1)
    weights = weights.tril() if CAUSAL.get() else weights
    expected = (weights / weights.sum(-1, keepdim=True))[:, None] @ at(PADDED.rows, v)
    agree(operator.mean(v), expected, "mean(v)", PADDED)
