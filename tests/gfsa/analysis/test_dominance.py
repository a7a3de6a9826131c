import numpy as np
import pytest
import torch

from attention_zoo import build_layer
from gfsa.analysis import dominance, eigenvalues, head_maps, observe

from .matrices import cycle, dense, same_spectrum

MEAN = torch.tensor([1.0, 0.0]) + 0j  # the mean over two tokens


def shares(found):
    return float(found.smoothing), float(found.sharpening), float(found.pair)


def test_positive_maps_smooth_and_those_between_minus_one_and_zero_sharpen():
    assert shares(dominance(MEAN, torch.tensor([0.5, 2.0]) + 0j)) == (1, 0, 1)
    assert shares(dominance(MEAN, torch.tensor([-0.5, -1.0]) + 0j)) == (0, 1, -1)
    # |1 − 3·1| = 2 is more than |1 − 3·0| = 1.
    assert shares(dominance(MEAN, torch.tensor([-3.0, -0.5]) + 0j)) == (0.5, 0.5, 1)


def test_ties_and_third_eigenvalues_count_for_neither():
    assert shares(dominance(MEAN, torch.zeros(2) + 0j)) == (0, 0, 0)
    assert shares(dominance(torch.ones(3) + 0j, torch.tensor([1.0 + 0j]))) == (0, 0, 0)  # Ā = I
    # |1 + j·λ| is largest for λ = −0.9j, which is neither the largest nor of the least real part.
    spectrum = torch.tensor([1.0, -0.9j, -0.1])
    assert shares(dominance(spectrum, torch.tensor([1j]))) == (0, 0, 0)


@pytest.mark.parametrize(
    ("weights", "sign", "expected"),
    [((1.0, -1.0), 1, (0, 1, -1)), ((0.0, -1.0), -1, (1, 0, 1)), ((0.0, -1.0), 1, (0, 1, -1))],
)
def test_a_filter_moves_sizes_and_not_which_vector_is_constant(weights, sign, expected):
    """H = I − Ā takes the constant vector away; −Ā with −λⱼ is Ā with λⱼ."""
    spectrum, maps = torch.tensor([1.0, 0.1, 0.0]) + 0j, torch.tensor([0.3, 0.5, 1.0]) + 0j
    values = weights[0] + weights[1] * spectrum
    assert shares(dominance(spectrum, sign * maps, values)) == expected


def by_definition(spectrum, maps):
    """Of a row-stochastic Ā, in numpy: the constant vector's λ is 1."""
    smooth = sharp = 0
    for each in maps:
        size = np.abs(1 + each * spectrum)
        large = size >= size.max() - 1e-9
        constant = large[np.abs(spectrum - 1) < 1e-9].any()
        least = large[spectrum.real < spectrum.real.min() + 1e-9].any()
        smooth, sharp = smooth + (constant and not least), sharp + (least and not constant)
    return smooth / len(maps), sharp / len(maps)


@pytest.mark.parametrize("N", [2, 3, 4, 5, 8])
def test_either_of_a_conjugate_pair_is_of_the_smallest_real_part(N):
    """Shifts, of which all |λ| are 1."""
    spectrum = np.exp(2j * np.pi * np.arange(N) / N)
    for maps in ([-1 + 0.5j, -1 - 0.5j], [1.0, 0.5, 2.0, 0.3], [-1.0, -0.5], [0.2 + 1j, 0.2 - 1j]):
        expected = by_definition(spectrum, maps)
        given = torch.tensor(maps, dtype=torch.complex128)
        for found in (torch.tensor(spectrum), eigenvalues(dense(cycle(N)))[0, 0]):
            assert shares(dominance(found, given))[:2] == expected
    assert by_definition(np.exp(2j * np.pi * np.arange(3) / 3), [-1 + 0.5j, -1 - 0.5j]) == (0, 1)


def test_it_is_the_growth_of_the_update_that_it_names():
    """X ← X + A X H many times, in numpy: the tokens become equal where the dominating pair
    smooths, and their mean vanishes beside the rest where it sharpens."""
    A = np.array([[0.75, 0.25], [0.25, 0.75]])  # eigenvalues 1 and 0.5
    for H, expected in ((np.diag([0.4, 0.1]), 1), (np.diag([-0.4, -0.1]), -1)):
        X = np.random.default_rng(0).normal(size=(2, 2))
        for _ in range(200):
            X = X + A @ X @ H
            X /= np.linalg.norm(X)
        smooth = np.linalg.norm(X.mean(0)) > np.linalg.norm(X - X.mean(0))
        found = dominance(torch.tensor(np.linalg.eigvals(A)) + 0j, torch.tensor(np.diag(H)) + 0j)
        assert found.pair == expected and smooth == (expected == 1)


def test_heads_and_examples_broadcast():
    spectra = torch.rand(4, 3, 7, dtype=torch.complex128)
    maps = torch.randn(3, 5, dtype=torch.complex128)
    found = dominance(spectra, maps)
    one = dominance(spectra[2, 1], maps[1])
    assert found.smoothing.shape == (4, 3)
    assert (found.smoothing[2, 1], found.pair[2, 1]) == (one.smoothing, one.pair)


@pytest.mark.parametrize("spec", ["linear", "identity", "linear+gfsa"])
def test_head_maps_are_the_eigenvalues_of_what_a_head_does_to_one_token(spec):
    """Of one token Ā = 1: the layer without its biases is then x ↦ Σ x H, here of one head."""
    layer = build_layer(spec, dim=12, heads=3, max_len=8, inner=6, bias=False).double()
    found = head_maps(layer)
    assert found.shape == (3, 2)
    for head in range(3):
        with torch.no_grad():
            alone = torch.zeros_like(layer.out.weight)
            alone[:, 2 * head : 2 * head + 2] = layer.out.weight[:, 2 * head : 2 * head + 2]
            kept, layer.out.weight.data = layer.out.weight.data, alone
            H = layer(torch.eye(12).double()[:, None])[:, 0].numpy()  # 12 examples of a token
            layer.out.weight.data = kept
        same_spectrum([*found[head].tolist(), *[0] * 10], np.linalg.eigvals(H), 1e-6)


@pytest.mark.parametrize(("sign", "expected"), [(1, (1, 0)), (-1, (0, 1))])
def test_heads_of_signed_maps_smooth_or_sharpen(sign, expected):
    """H = V Λ Vᵀ, V orthogonal, a head its column block, Λ of one sign: as of vit+ and vit−."""
    layer = build_layer("softmax", dim=12, heads=3, max_len=8).double()
    V = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64)).Q
    scales = sign * torch.linspace(0.1, 1, 12).double()
    with torch.no_grad():
        layer.qkv.weight[-12:] = V.mT
        layer.out.weight.copy_((scales[:, None] * V.mT).mT)
    maps = head_maps(layer)
    assert torch.allclose(
        maps.real.sort(-1).values.flatten().sort().values, scales.sort().values, atol=1e-9
    )
    with observe(layer) as seen, torch.no_grad():
        layer(torch.randn(1, 8, 12, dtype=torch.float64))
    found = dominance(eigenvalues(seen[0][0].base)[0], maps)
    assert (found.smoothing == expected[0]).all() and (found.sharpening == expected[1]).all()
