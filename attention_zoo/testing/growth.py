"""Time and memory grow with N as declared."""

import math
from collections.abc import Callable
from functools import partial

import torch

from attention_zoo.costs import count_bytes, count_operations, cpu_allocator_peak
from attention_zoo.spec import attention_of
from attention_zoo.testing.cases import built, operator_of, require

GROWTHS: dict[str, Callable[[int], float]] = {
    "N": lambda n: n,
    "N log N": lambda n: n * math.log(n),
    "N√N": lambda n: n**1.5,
    "N²": lambda n: n**2,
}
# The first is for what does not grow with N, such as an R×R inverse: it is subtracted.
LENGTHS = (128, 1024, 2048)
# Of exponents: between N, N√N and N² they are 0.5 apart. N log N is 0.15 above N here, which the
# steps of a ⌈log N⌉ can hide.
BELOW, ABOVE = -0.15, 0.1


def growth(spec: str) -> None:
    """Operations (products of matrices, and elements written) of a forward and backward pass grow
    with N as declared, and so does memory: as the bytes that operators move, or less, if the
    allocator's peak does."""
    grows_as_declared(spec, lambda N: _step(spec, N))


def grows_as_declared(spec: str, made: Callable[[int], Callable[[], None]]) -> None:
    """Of steps that are made for a length."""
    support, steps = attention_of(spec).support, [made(N) for N in LENGTHS]
    for step in steps:
        step()  # what is made once is not counted
    operations: list[int] = []
    moved = [count_bytes(partial(_counted, step, operations)) for step in steps]
    require(
        BELOW <= _excess(operations, support.time) <= ABOVE,
        f"time does not grow as declared, {support.time}",
        f"operations: {_listed(operations)}",
    )
    require(
        _excess(moved, support.memory) >= BELOW,
        f"memory grows less than declared, {support.memory}",
        f"bytes moved: {_listed(moved)}",
    )
    if _excess(moved, support.memory) > ABOVE:  # what is allocated is written: else it is enough
        peaks = [cpu_allocator_peak(step) for step in steps]
        require(
            _excess(peaks, support.memory) <= ABOVE,
            f"memory grows faster than declared, {support.memory}",
            f"peak bytes: {_listed(peaks)}",
        )


def _counted(step: Callable[[], None], operations: list[int]) -> None:
    operations.append(count_operations(step))


def _excess(found: list[int], stated: str) -> float:
    """The exponent of N from the second length to the third, less the one that is stated."""
    exponent, expected = (
        math.log2(max(1, long - short) / max(1, middle - short))
        for short, middle, long in (found, map(GROWTHS[stated], LENGTHS))
    )
    return exponent - expected


def _listed(numbers: list[int]) -> str:
    return f"{', '.join(f'{number:,}' for number in numbers)} at N = {LENGTHS}"


def _step(spec: str, N: int) -> Callable[[], None]:
    """A pass of one float32 head of width 16, with a mask as in training: Āv and a polynomial."""
    module = built(spec, heads=1, head_dim=16, max_len=N, dim=16)
    keep, x = torch.ones(1, N, dtype=torch.bool), torch.randn(1, N, 16)
    q, k, v = torch.randn(3, 1, 1, N, 16).unbind()

    def step() -> None:
        leaves = [part.clone().requires_grad_() for part in (q, k, v)]
        operator = operator_of(module, leaves[0], leaves[1], keep, x)
        y = (operator @ leaves[2]) + operator.polynomial([0.5, 0.3, 0.2], leaves[2])
        y.backward(torch.ones_like(y))
        module.zero_grad(set_to_none=True)

    return step
