"""A causal attention looks at no later token, and decodes step by step to the same rows."""

import torch
from torch import Tensor

from attention_zoo.layer import SelfAttention
from attention_zoo.operators import DecodingCache
from attention_zoo.testing.cases import (
    CAUSAL,
    Built,
    Case,
    agree,
    at,
    attention,
    gradients,
    layer,
    operator_of,
    require,
    unfiltered,
)
from attention_zoo.testing.padding import APPLIED

RESULTS = APPLIED | {"mean(v)": lambda operator, v: operator.mean(v)}
STEPS = (5, 1, 3, 7, 1)  # new tokens at each, of 17
MASKED = Case(17, (17, 12, 9), holes=True)


def causal(spec: str) -> None:
    """No row depends on a later token, bit for bit, and no gradient of a row reaches one: of Āv, of
    a polynomial, of mean(v) and of a layer."""
    module, whole, t = attention(spec), layer(spec), 9
    for case in (Case(17), Case(17, (17, 12, 17))):
        given, keep = case.tensors(), case.keep
        later = torch.arange(case.N)[:, None] >= t
        other = [torch.where(later, 3 * part.flip(0) + 1, part) for part in given]
        found = {
            name: [apply(operator_of(module, q, k, keep, x), v) for q, k, v, x in (given, other)]
            for name, apply in (RESULTS if CAUSAL.get() else APPLIED).items()
        }
        found["a layer"] = [whole(parts[3], keep) for parts in (given, other)]
        wanted = dict(zip("qkvx", given, strict=True))
        for name, (first, second) in found.items():
            first, second = first[..., :t, :], second[..., :t, :]
            same = torch.equal(first, second)
            require(same, f"{name} before token {t} depends on a later one", case)
            for what, gradient in gradients(first, wanted, torch.ones_like(first)).items():
                reached = gradient[..., t:, :].any()
                require(
                    not reached, f"{what} from {name} before token {t} reaches later ones", case
                )


def decoding(spec: str) -> None:
    """Step by step with a cache, Āv, a polynomial, mean(v) and a layer are those of one pass, with
    padding anywhere, and so they are of beams that are chosen on the way."""
    if not unfiltered(attention(spec)).decodes:
        return
    for case in (Case(17), MASKED):
        for beams in ([0, 1, 2], [2, 0, 0]):
            _decoded(spec, case, torch.tensor(beams))


def _decoded(spec: str, case: Case, beams: Tensor) -> None:
    """Examples go on from the histories of those in `beams` after the third step."""
    module, whole, cut = attention(spec), layer(spec), sum(STEPS[:3])
    q, k, v, x = case.tensors()
    given = [*(part.transpose(1, 2) for part in (q, k, v)), x, case.real]  # (B, N, …) each
    chosen = [torch.cat([part[beams, :cut], part[:, cut:]], 1) for part in given]
    expected = _results(module, whole, chosen, case, None)
    found: dict[str, list[Tensor]] = {name: [] for name in expected}
    caches, start = (DecodingCache(), DecodingCache()), 0
    for n in STEPS:
        if start == cut:
            for cache in caches:
                cache.select(beams)
        new = [part[:, start : start + n] for part in (given if start < cut else chosen)]
        for name, y in _results(module, whole, new, case, caches).items():
            found[name].append(y[beams] if start < cut else y)
        start += n
    real = chosen[-1]
    for name, steps in found.items():
        both = torch.cat(steps, 1), expected[name]
        y, one_pass = (at(real[..., None], part.flatten(2)) for part in both)
        agree(y, one_pass, f"{name} step by step", f"{case}, beams={beams.tolist()}")


def _results(
    module: Built,
    whole: SelfAttention,
    parts: list[Tensor],
    case: Case,
    caches: tuple[DecodingCache, DecodingCache] | None,
) -> dict[str, Tensor]:  # (B, n, …) each
    q, k, v, x, real = parts
    keep = None if case.keep is None else real
    ours, layers = caches or (None, None)
    operator = operator_of(module, q.transpose(1, 2), k.transpose(1, 2), keep, x, ours)
    found = {
        name: apply(operator, v.transpose(1, 2)).transpose(1, 2) for name, apply in RESULTS.items()
    }
    if whole.on_output is None or whole.on_output.by_token:
        found["a layer"] = whole(x, keep, cache=layers)
    return found
