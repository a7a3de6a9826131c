import numpy as np
import pytest
import torch

from attention_zoo import FilteredOperator, build_attention
from gfsa import GraphFilter, MeanFilter, PolynomialFilter
from gfsa.analysis import (
    base_multiple,
    collapse,
    eigenvalues,
    filtered_eigenvalues,
    fourier_response,
    response,
)

from .matrices import circulant, cycle, dense, factored, same_spectrum

TAPS = np.array([0.5, 0.25, 0.0, 0.05, 0.0, 0.2, 0.0])


@pytest.mark.parametrize("mode", ["taylor", "power"])
def test_the_response_is_the_polynomial_at_the_eigenvalues(mode):
    one = GraphFilter(2, K=4, mode=mode, w0=0.25, w1=0.5, wK=-2.0)
    values = torch.tensor([[1.0, 0.5j, -0.5], [1.0, 0.2, 0.0]], dtype=torch.complex128)
    power = values**4 if mode == "power" else values + 3 * (values**2 - values)
    expected = (0.25 + 0.5 * values - 2 * power).abs()
    assert torch.allclose(response(one, values), expected)
    assert torch.allclose(response(one, values.expand(3, 2, 3)), expected.expand(3, 2, 3))


def test_stacked_filters_are_applied_one_after_another():
    first, second = GraphFilter(1, K=3, wK=0.5), GraphFilter(1, K=2, w0=-1.0, wK=0.25)
    operator = dense(circulant(TAPS))
    both = FilteredOperator(FilteredOperator(operator, first), second)
    found = filtered_eigenvalues([first, second], eigenvalues(operator))
    with torch.no_grad():
        same_spectrum(found[0, 0], np.linalg.eigvals(both.dense()[0, 0].numpy()))


def test_a_filter_that_is_no_polynomial_has_no_response():
    values = torch.ones(2, 3) + 0j
    assert response(MeanFilter(2), values) is None
    assert filtered_eigenvalues([MeanFilter(2), GraphFilter(2)], values) is None
    assert collapse(MeanFilter(2), 2) is None


@pytest.mark.parametrize("basis", ["monomial", "chebyshev", "jacobi"])
def test_a_free_polynomial_of_any_basis_begins_as_the_base(basis):
    (one,) = collapse(PolynomialFilter(1, K=5, basis=basis), 1)
    assert (one.verdict, one.scale) == ("multiple of the base", pytest.approx(1))


def test_the_fourier_response_of_a_circulant_is_that_of_its_eigenvalues():
    expected = np.abs(np.fft.fft(TAPS))
    assert np.allclose(fourier_response(dense(circulant(TAPS)))[0, 0], expected)
    assert np.allclose(fourier_response(cycle(5)[None, None]), 1)


def test_where_the_transform_does_not_diagonalise_the_two_differ():
    """A permutation that is no shift: all |λ| are 1, but frequencies leak into each other."""
    swap = torch.eye(4).double()[[1, 0, 2, 3]]
    assert np.allclose(eigenvalues(dense(swap)).abs(), 1)
    F = np.exp(-2j * np.pi * np.outer(np.arange(4), np.arange(4)) / 4)
    expected = np.abs(np.diag(F @ swap.numpy() @ np.linalg.inv(F)))
    found = fourier_response(dense(swap))[0, 0]
    assert np.allclose(found, expected) and found[1] < 0.6


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("R", [4, 20])
def test_factors_filters_and_padding_give_the_transform_of_the_real_tokens(R, filtered):
    keep = torch.tensor([[True] * 9, [True, False, True, True, False, True, True, True, False]])
    operator = factored(N=9, R=R, keep=keep)
    matrix = operator.left @ operator.right
    operator.left[~keep[:, None].expand(-1, 3, -1)] = 7.0 if filtered else torch.nan
    if filtered:
        one = GraphFilter(3, K=4, w0=-0.5, wK=0.25)
        operator = FilteredOperator(operator, one)
        matrix = one.reference(matrix).detach()
    found = fourier_response(operator)
    assert torch.allclose(found, fourier_response(matrix, keep))
    for b in range(2):
        real = keep[b].nonzero()[:, 0]
        n = len(real)
        F = np.fft.fft(np.eye(n))
        part = matrix[b, 2][real][:, real].numpy()
        expected = np.abs(np.diag(F @ part @ np.linalg.inv(F)))
        assert np.allclose(found[b, 2, :n], expected) and not found[b, 2, n:].any()
    some = torch.tensor([4, 0, 8])
    assert torch.allclose(fourier_response(operator, frequencies=some), found[..., some])


def test_the_transform_goes_through_a_kernel_in_its_own_width_and_dtype():
    attention = build_attention("sdpa", heads=2, head_dim=8, max_len=90)
    operator = attention(*torch.randn(2, 1, 2, 90, 8))
    widths = []
    apply, operator._apply = operator._apply, lambda v: widths.append(v.shape[-1]) or apply(v)
    found = fourier_response(operator)
    assert set(widths) == {8} and found.shape == (1, 2, 90)
    with torch.no_grad():
        expected = fourier_response(operator.dense().double())
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "verdict", "scale"),
    [
        ((0.0, 1.0, 0.0), "multiple of the base", 1.0),
        ((0.0, -0.3, 0.0005), "multiple of the base", -0.3),
        ((0.0, 0.004, -0.001), "zero", None),
        ((0.7, 0.0, 0.001), "multiple of the identity", 0.0),
        ((0.0, 1.0, -0.2), "filter", None),
    ],
)
def test_weights_that_collapsed_are_told_from_a_filter(weights, verdict, scale):
    w0, w1, wK = weights
    one = GraphFilter(2, K=3, mode="power", w0=w0, w1=w1, wK=wK)
    with torch.no_grad():
        one.wK[1] = 5.0  # the other head is a filter whatever this one is
    first, second = collapse(one, 2)
    assert first.verdict == verdict and second.verdict == "filter"
    if scale is not None:
        assert first.scale == pytest.approx(scale, abs=1e-3)


def test_a_taylor_weight_that_is_undone_by_w1_is_seen_as_such():
    """K = 1: H = (w₁ + w_K) Ā for any weights."""
    (one,) = collapse(GraphFilter(1, K=1, w1=3.0, wK=-2.0), 1)
    assert (one.verdict, one.scale) == ("multiple of the base", pytest.approx(1))
    (zero,) = collapse(GraphFilter(1, K=1, w1=2.0, wK=-2.0), 1)
    assert zero.verdict == "zero"


def test_the_nearest_multiple_on_a_spectrum():
    at = torch.tensor([1.0, 0.5j, 0.0], dtype=torch.complex128)
    scale, distance = base_multiple(3 * at, at)
    assert scale == pytest.approx(3) and distance == pytest.approx(0)
    scale, distance = base_multiple(at + torch.tensor([0, 0, 2.0]), at)
    assert scale == pytest.approx(1) and distance == pytest.approx(1)
    assert [float(x) for x in base_multiple(0 * at, 0 * at)] == [0, 0]
