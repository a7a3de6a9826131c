import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import FactoredOperator, UsageError, build_attention
from attention_zoo.operators import LandmarkOperator
from gfsa.analysis import eigenvalues, real_matrix, singular_values

from .matrices import blocks, circulant, cycle, dense, factored, magnitudes, rank_one, same_spectrum

TAPS = np.array([0.5, 0.25, 0.0, 0.05, 0.0, 0.2])


def test_a_circulant_has_the_transform_of_its_taps():
    found = eigenvalues(dense(circulant(TAPS)))[0, 0]
    same_spectrum(found, np.fft.fft(TAPS))
    assert found[0].abs() == pytest.approx(1) and (found.abs().diff() <= 1e-12).all()
    assert np.allclose(singular_values(dense(circulant(TAPS))), magnitudes(np.fft.fft(TAPS)))


def test_rank_one_permutation_and_blocks():
    u, v = torch.tensor([1.0, 2, 3]).double(), torch.tensor([0.5, 0.0, -1.0]).double()
    same_spectrum(eigenvalues(dense(rank_one(u, v)))[0, 0], [u @ v, 0, 0])
    singular = singular_values(dense(rank_one(u, v)))[0, 0]
    assert np.allclose(singular, [u.norm() * v.norm(), 0, 0])
    same_spectrum(eigenvalues(dense(cycle(7)))[0, 0], np.exp(2j * np.pi * np.arange(7) / 7))
    assert np.allclose(singular_values(dense(cycle(7))), 1)
    same_spectrum(eigenvalues(dense(blocks([3, 4, 1])))[0, 0], [1, 1, 1, 0, 0, 0, 0, 0])


def test_every_matrix_of_means_has_its_spectrum():
    for N in range(2, 131):
        found = eigenvalues(dense(blocks([N])))[0, 0]
        assert (found[0] - 1).abs() < 1e-9 and found[1:].abs().max() < 1e-9, N


@given(N=st.integers(2, 9), R=st.integers(1, 12), seed=st.integers(0, 9))
def test_factors_give_what_the_whole_matrix_gives(N, R, seed):
    operator = factored(N=N, R=R, seed=seed)
    matrix = (operator.left @ operator.right).numpy()
    found, singular = eigenvalues(operator), singular_values(operator)
    assert found.shape == singular.shape == (2, 3, min(N, R))
    rest = np.zeros(N - min(N, R))
    for place in np.ndindex(2, 3):
        whole = np.concatenate([found[place].numpy(), rest])
        same_spectrum(whole, np.linalg.eigvals(matrix[place]), 1e-6)
        values = np.linalg.svd(matrix[place], compute_uv=False)
        assert np.allclose(np.concatenate([singular[place].numpy(), rest]), values, atol=1e-12)


@pytest.mark.parametrize("R", [3, 9])
def test_pads_add_zeros_and_change_nothing(R):
    keep = torch.tensor([[True] * 9, [True, True, False, True, True, False, False, True, False]])
    operator = factored(N=9, R=R, keep=keep)
    real = keep[1].nonzero()[:, 0]
    matrix = (operator.left @ operator.right)[1, 0][real][:, real].numpy()
    found, singular = eigenvalues(operator)[1, 0].numpy(), singular_values(operator)[1, 0].numpy()
    size = min(R, len(real))
    same_spectrum(
        np.concatenate([found[:size], np.zeros(len(real) - size)]), np.linalg.eigvals(matrix), 1e-6
    )
    expected = np.linalg.svd(matrix, compute_uv=False)
    assert np.allclose(singular[:size], expected[:size], atol=1e-12)
    assert np.abs(found[size:]).max(initial=0) < 1e-6 and singular[size:].max(initial=0) < 1e-12


def test_a_core_between_the_factors_belongs_to_them():
    left, core, columns = (torch.rand(1, 2, *shape).double() for shape in ((8, 3), (3, 3), (3, 8)))
    expected = np.linalg.eigvals((left @ core @ columns)[0, 1].numpy())
    found = eigenvalues(LandmarkOperator(left, core, columns))[0, 1]
    same_spectrum(np.concatenate([found, np.zeros(5)]), expected, 1e-6)


SPECS = ("softmax", "sdpa", "linear", "linformer:rank=4", "taylor:feature_dim=2", "local:block=4")
SPECS += ("nystrom:landmarks=4", "focused", "informer", "performer:features=8", "identity", "mean")


@pytest.mark.parametrize("spec", SPECS)
def test_each_attention_against_its_reference(spec):
    """Of operators of every kind, with padding; the reference shares no code with them."""
    attention = build_attention(spec, heads=2, head_dim=8, max_len=16).double()
    q, k = torch.randn(2, 2, 2, 16, 8, dtype=torch.float64)
    keep = torch.arange(16) < torch.tensor([16, 11])[:, None]
    q, k = (torch.where(keep[:, None, :, None], x, 0.0) for x in (q, k))
    operator, reference = attention(q, k, keep), attention.reference(q, k, keep)
    for b, n in enumerate((16, 11)):
        matrix = reference[b, 1, :n, :n].detach().numpy()
        singular = np.zeros(16)
        found = singular_values(operator)[b, 1].numpy()
        singular[: len(found)] = found
        assert np.allclose(singular[:n], np.linalg.svd(matrix, compute_uv=False), atol=1e-8)
        largest = eigenvalues(operator)[b, 1].abs().numpy()
        expected = magnitudes(np.linalg.eigvals(matrix))
        assert np.allclose(largest[:3], expected[: len(largest)][:3], atol=1e-5)


def test_16_bit_factors_are_taken_as_they_are_and_long_ones_need_no_matrix():
    N = 50_000  # of which Ā would take 20 GB
    left, right = torch.rand(1, 1, N, 2, dtype=torch.bfloat16), torch.rand(1, 1, 2, N).bfloat16()
    operator = FactoredOperator(left, right / N)
    M = (operator.right.double() @ operator.left.double())[0, 0]
    same_spectrum(eigenvalues(operator)[0, 0], np.linalg.eigvals(M.numpy()))
    gram = left[0, 0].double().mT @ left[0, 0].double() @ operator.right[0, 0].double()
    other = gram @ operator.right[0, 0].double().mT
    expected = magnitudes(np.linalg.eigvals(other.numpy())) ** 0.5
    assert np.allclose(singular_values(operator)[0, 0], expected)


def test_what_is_not_finite_is_refused():
    with pytest.raises(UsageError, match="not finite"):
        eigenvalues(dense(torch.full((3, 3), torch.nan)))
    keep = torch.tensor([[True, True, False]])
    matrix = torch.full((3, 3), torch.nan)
    matrix[:, :2], matrix[:, 2] = 0.5, 0.0
    matrix[2] = torch.nan  # a row of padding may hold anything
    assert real_matrix(dense(matrix, keep))[0, 0].sum() == 2
