import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gfsa.analysis import power_norm, taylor_distance

from .matrices import circulant, cycle, dense, factored


@given(K=st.integers(1, 8), R=st.sampled_from([3, 20]), padded=st.booleans())
def test_the_norm_of_the_difference_is_that_of_the_matrices(K, R, padded):
    keep = torch.arange(10) < torch.tensor([10, 7])[:, None] if padded else None
    operator = factored(N=10, R=R, keep=keep)
    found, size = taylor_distance(operator, K), power_norm(operator, K)
    for b, n in enumerate((10, 7 if padded else 10)):
        A = (operator.left @ operator.right)[b, 1, :n, :n].numpy()
        power = np.linalg.matrix_power(A, K)
        difference = A + (K - 1) * (A @ A - A) - power
        assert found[b, 1] == pytest.approx(np.linalg.norm(difference, 2), abs=1e-12)
        assert size[b, 1] == pytest.approx(np.linalg.norm(power, 2), abs=1e-12)


def test_a_normal_matrix_has_the_distance_of_its_eigenvalues():
    taps = np.array([0.5, 0.25, 0.0, 0.05, 0.2])
    values = np.fft.fft(taps)
    for K in (3, 6):
        expected = np.abs((2 - K) * values + (K - 1) * values**2 - values**K).max()
        assert taylor_distance(dense(circulant(taps)), K).item() == pytest.approx(expected)
    assert power_norm(dense(cycle(5)), 7).item() == pytest.approx(1)


def test_the_two_forms_agree_up_to_the_second_order():
    operator = factored(N=10, R=3)
    assert not taylor_distance(operator, 1).any() and not taylor_distance(operator, 2).any()
    assert (taylor_distance(operator, 3) > 0.01).all()


def test_a_power_that_overflows_is_infinitely_far():
    big = dense(torch.eye(3).double() * 1e9)
    assert taylor_distance(big, 60).item() == power_norm(big, 60).item() == torch.inf
    assert taylor_distance(big, 2).item() == 0
