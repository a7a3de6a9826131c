import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gfsa.analysis import (
    cosine_similarity,
    effective_rank,
    high_over_low,
    normalised_singular_values,
)

MEASURES = (high_over_low, cosine_similarity, effective_rank, normalised_singular_values)


def by_definition(x):
    """Each written out for one example in numpy."""
    mean = np.ones((len(x), len(x))) @ x / len(x)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = [unit[i] @ unit[j] for i in range(len(x)) for j in range(i)]
    values = np.linalg.svd(x, compute_uv=False)
    p = values / values.sum()
    entropy = -sum(q * math.log(q) for q in p if q > 0)
    ratio = np.linalg.norm(x - mean) / np.linalg.norm(mean)
    return ratio, np.mean(pairs), math.exp(entropy), values / values[0]


@given(n=st.integers(2, 12), C=st.integers(1, 8), seed=st.integers(0, 99))
def test_each_measure_is_its_definition_on_real_tokens(n, C, seed):
    generator = torch.Generator().manual_seed(seed)
    keep = torch.zeros(2, 12, dtype=torch.bool)
    keep[0, torch.randperm(12, generator=generator)[:n]] = True
    keep[1] = True
    x = torch.randn(2, 12, C, generator=generator, dtype=torch.float64)
    x[0, ~keep[0]] = torch.nan
    for measure, expected in zip(MEASURES, by_definition(x[0][keep[0]].numpy()), strict=True):
        found = measure(x, keep)[0].numpy()
        assert np.allclose(found.reshape(-1)[: np.size(expected)], expected, atol=1e-9)
        assert np.isfinite(found).all()
        alone = measure(x[1:]).numpy()
        assert np.allclose(measure(x, keep)[1], alone[0])


def test_equal_tokens_are_wholly_smooth():
    x = torch.tensor([1.0, 2.0, -1.0]).expand(1, 5, 3)
    assert high_over_low(x).item() == pytest.approx(0, abs=1e-12)
    assert cosine_similarity(x).item() == pytest.approx(1)
    assert effective_rank(x).item() == pytest.approx(1)
    assert normalised_singular_values(x)[0].tolist() == pytest.approx([1, 0, 0])


def test_orthogonal_tokens_are_as_rough_as_can_be():
    x = torch.eye(4)[None]
    assert cosine_similarity(x).item() == pytest.approx(0)
    assert effective_rank(x).item() == pytest.approx(4)
    assert high_over_low(x).item() == pytest.approx(math.sqrt(3))  # ‖I − J/4‖ = √3, ‖J/4‖ = 1


def test_tokens_without_a_mean_and_a_token_alone():
    assert high_over_low(torch.tensor([[[1.0], [-1.0]]])).item() == math.inf
    assert cosine_similarity(torch.ones(1, 1, 3)).isnan().all()
    assert cosine_similarity(torch.tensor([[[0.0], [2.0], [3.0]]])).item() == pytest.approx(1 / 3)
