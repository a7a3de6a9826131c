"""Matrices whose spectra are known in closed form."""

import numpy as np
import torch

from attention_zoo import DenseOperator, FactoredOperator


def circulant(taps):
    """Row i is the taps, moved by i: eigenvalues are the transform of the taps."""
    return torch.tensor(np.array([np.roll(taps, i) for i in range(len(taps))]))


def rank_one(u, v):
    """u vᵀ: one eigenvalue v·u, one singular value |u| |v|."""
    return torch.outer(u, v)


def cycle(n):
    """A permutation: its eigenvalues are the nth roots of 1, its singular values 1."""
    return torch.eye(n, dtype=torch.float64).roll(1, 0)


def blocks(sizes):
    """Means over blocks of tokens: eigenvalue 1 once a block, else 0."""
    return torch.block_diag(*(torch.full((n, n), 1 / n, dtype=torch.float64) for n in sizes))


def dense(matrix, keep=None):
    return DenseOperator(matrix[None, None], keep)


def factored(B=2, H=3, N=12, R=5, keep=None, seed=0):
    """Row-stochastic factors in float64, right zero at pads; left holds rubbish there."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.rand(B, H, N, R, dtype=torch.float64, generator=generator).pow(3)
    right = torch.rand(B, H, R, N, dtype=torch.float64, generator=generator).pow(3)
    if keep is not None:
        right = right * keep[:, None, None]
    return FactoredOperator(
        left / left.sum(-1, keepdim=True), right / right.sum(-1, keepdim=True), keep
    )


def magnitudes(values):
    """Of eigenvalues of numpy or torch, falling."""
    return np.sort(np.abs(np.asarray(values)))[::-1]


def same_spectrum(found, expected, atol=1e-10):
    """Whether each eigenvalue has a partner; numpy and LAPACK order equal magnitudes anyhow."""
    found, expected = list(np.asarray(found)), list(np.asarray(expected))
    for value in found:
        nearest = min(expected, key=lambda other: abs(other - value))
        assert abs(nearest - value) < atol, (value, nearest)
        expected.remove(nearest)
    assert not expected
