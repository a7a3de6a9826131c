"""One layer on one sequence: everything that is measured of Ā and of the filters on it."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor

from attention_zoo import (
    AttentionOperator,
    DenseOperator,
    FactoredOperator,
    Filter,
    FilteredOperator,
    UnsupportedError,
    UsageError,
)
from gfsa import GraphFilter
from gfsa.analysis import (
    Dominance,
    Observation,
    base_multiple,
    dominance,
    eigenvalues,
    filtered_eigenvalues,
    fourier_response,
    power_norm,
    real_matrix,
    singular_values,
    taylor_distance,
)
from lra.results.analysis import FREQUENCIES
from lra.system.memory import available_memory

BYTES = 128  # an entry of Ā, at the peak of what is computed from it


@dataclass(frozen=True)
class Measured:
    """Of each head, (H, …); None where there is no filter, or none that is a polynomial of Ā. gap:
    the distance of Taylor and power, and the norm of the power."""

    tokens: int
    eigenvalues: Tensor
    singular_values: Tensor
    fourier: np.ndarray
    dominance: Dominance
    values: Tensor | None
    at_zero: Tensor | None
    fourier_filtered: np.ndarray | None
    base_distance: Tensor | None
    dominance_filtered: Dominance | None
    gap: tuple[Tensor, Tensor] | None


def has_taylor_form(one: Filter) -> TypeGuard[GraphFilter]:
    """Others may have a `mode` that means something else."""
    return isinstance(one, GraphFilter)


def rank_of(operator: AttentionOperator) -> int | None:
    """R of its factors; None for an operator without."""
    return operator.left.shape[-1] if isinstance(operator, FactoredOperator) else None


def operators_of(one: Observation) -> list[AttentionOperator]:
    """Ā of each sequence on its real tokens alone, in float64. Raises UsageError where Ā has to be
    written down and cannot be, or not in the memory there is."""
    base = one.base
    B, H, N, _ = base.shape
    real = [slice(None) if one.keep is None else mask.nonzero()[:, 0] for mask in _masks(one, B)]
    if isinstance(base, FactoredOperator):
        left, right = base.left.double(), base.right.double()
        return [
            FactoredOperator(left[b : b + 1, :, at], right[b : b + 1, :, :, at])
            for b, at in enumerate(real)
        ]
    require_memory(B * H, N, base.like.device)
    try:
        matrix = real_matrix(base)
    except UnsupportedError as error:
        raise UsageError(f"it gives no Ā of {N:,} tokens ({error}): try --length") from None
    return [DenseOperator(matrix[b : b + 1, :, at][..., at]) for b, at in enumerate(real)]


def _masks(one: Observation, B: int) -> Sequence[Tensor]:
    return [torch.ones(0)] * B if one.keep is None else list(one.keep)


def require_memory(matrices: int, N: int, device: torch.device) -> None:
    """Raises UsageError, with the length that fits, where so many N×N matrices do not."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory()
    needed = BYTES * matrices * N**2
    if free is not None and needed > free:
        fits = int((free / (BYTES * matrices)) ** 0.5) // 16 * 16
        raise UsageError(
            f"writing down its Ā of {N:,} tokens takes about {needed / 1e9:,.1f} GB of memory, and "
            f"{free / 1e9:,.1f} GB are free: use --length {max(16, fits)} or less"
        )


def measure(operator: AttentionOperator, filters: Sequence[Filter], maps: Tensor) -> Measured:
    """operator: of one sequence, as `operators_of` gives it. maps: the eigenvalues of W_V W_O."""
    N = operator.shape[-1]
    found = eigenvalues(operator)[0]
    zero = torch.zeros_like(found[:, :1])
    # Of a rank below N, 0 is an eigenvalue, too.
    spectrum = torch.cat([found, zero], -1) if found.shape[-1] < N else found
    values = at_zero = filtered = distance = of_filtered = None
    if filters:
        filters = [deepcopy(one).double() for one in filters]
        filtered = _fourier(reduce(FilteredOperator, filters, operator))
        if (values := filtered_eigenvalues(filters, spectrum)) is not None:
            at_zero = filtered_eigenvalues(filters, zero)[:, 0].abs()
            distance = base_multiple(values, spectrum)[1]
            of_filtered = dominance(spectrum, maps, values)
    gap = None
    if filters and has_taylor_form(filters[0]):
        K = filters[0].K
        gap = taylor_distance(operator, K)[0], power_norm(operator, K)[0]
    return Measured(
        tokens=N,
        eigenvalues=found,
        singular_values=singular_values(operator)[0],
        fourier=_fourier(operator),
        dominance=dominance(spectrum, maps),
        values=None if values is None else values[:, : found.shape[-1]],
        at_zero=at_zero,
        fourier_filtered=filtered,
        base_distance=distance,
        dominance_filtered=of_filtered,
        gap=gap,
    )


def _fourier(operator: AttentionOperator) -> np.ndarray:  # (H, frequencies)
    """At FREQUENCIES: at 0 that of the mean alone; from 1/N on a line between those of the sequence
    itself, k/N; nan between 0 and 1/N, where it has none."""
    N, cycles = operator.shape[-1], np.array(FREQUENCIES) * operator.shape[-1]
    own = np.unique([np.floor(cycles), np.ceil(cycles)]).astype(int)
    own = own[own <= N // 2]  # above ½, of a real Ā, they are those below again
    found = fourier_response(operator, frequencies=torch.from_numpy(own))[0].cpu().numpy()
    first = min(1, N // 2)  # of one token there is the mean alone
    made = np.array([np.interp(cycles, own[first:], head[first:]) for head in found])
    made[:, 0] = found[:, 0]
    made[np.isnan(made)] = np.inf  # what overflowed counts
    made[:, (cycles > 0) & (cycles < 1)] = np.nan
    return made
