"""Where S4D, S5, Mega and Hyena start, against the papers' formulas at small sizes."""

import math

import pytest
import torch

from attention_zoo.mixers.hyena import Hyena
from attention_zoo.mixers.mega import DampedAverage, Mega
from attention_zoo.mixers.s4d import S4D, initial
from attention_zoo.mixers.s5 import S5
from attention_zoo.parts.hippo import hippo_normal


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ("lin", [-0.5, -0.5 + 3.14159265j, -0.5 + 6.28318531j]),
        # 6/π·(6/1 − 1), 6/π·(6/3 − 1), 6/π·(6/5 − 1)
        ("inv", [-0.5 + 9.54929659j, -0.5 + 1.90985932j, -0.5 + 0.38197186j]),
        ("real", [-1.0, -2.0, -3.0]),
    ],
)
def test_modes_of_s4d_at_state_6(init, expected):
    A, B = initial(init, 6)
    assert A.tolist() == pytest.approx(expected)
    assert B.tolist() == [1.0, 1.0, 1.0]
    mixer = S4D(dim=2, max_len=4, init=init, state=6)
    modes = torch.complex(-mixer.log_decay.exp(), mixer.frequency)
    assert modes[1].tolist() == pytest.approx(expected, rel=1e-6)


def test_modes_of_s4d_legs_at_state_2():
    # The eigenvector of ½√3·[[0, 1], [−1, 0]] for +½√3·i is (1, i)/√2: |V*B| = |1 − i√3|/√2 = √2.
    A, B = initial("legs", 2)
    assert A.tolist() == pytest.approx([-0.5 + 0.8660254038j])
    assert B.abs().tolist() == pytest.approx([math.sqrt(2)])


def test_s4d_legs_tends_to_the_legendre_functions():
    # Integrals from 0 to t of the diagonal system's kernels 2 Re(V exp(tΛ) B/2) tend to those of
    # HiPPO's, √(2n + 1) e^{-t} Pₙ(2e^{-t} − 1): for n = 0, 1 − e^{-t}.
    t = torch.linspace(0.2, 3, 15, dtype=torch.float64)
    once, twice = 1 - (-t).exp(), 1 - (-2 * t).exp()
    expected = torch.stack([once, math.sqrt(3) * (twice - once)])
    errors = []
    for N in (64, 256):
        A, B = initial("legs", N)
        V = hippo_normal(N)[1][:2]
        found = 2 * (V @ (B[:, None] / 2 * ((A[:, None] * t).exp() - 1) / A[:, None])).real
        errors.append((found - expected).abs().max().item())
    assert errors[0] < 0.01 and errors[1] < 0.001


def test_zero_order_hold_of_one_real_mode():
    # A = −1, Δ = log 2: Ā = ½, B̄ = ½, K = 2·½·(1, ½, ¼, …) with C = 1.
    mixer = S4D(dim=1, max_len=4, init="real", state=2, bidirectional=False).double()
    with torch.no_grad():
        mixer.log_dt.fill_(math.log(math.log(2)))
        mixer.log_decay.zero_()
        mixer.B.copy_(torch.tensor([1.0, 0.0]))
        mixer.C.copy_(torch.tensor([1.0, 0.0]))
    assert mixer.kernels(4)[0][0].tolist() == pytest.approx([1.0, 0.5, 0.25, 0.125])


def test_discretisations_of_s5():
    # Λ = −1, Δ = log 2 (zoh): Λ̄ = ½, B̄ = ½. Bilinear with Δ = 1: Λ̄ = ½/1½, B̄ = 1/1½.
    for discretisation, dt, expected in (
        ("zoh", math.log(2), (0.5, 0.5)),
        ("bilinear", 1.0, (1 / 3, 2 / 3)),
    ):
        mixer = S5(dim=1, max_len=4, state=2, blocks=1, discretisation=discretisation).double()
        with torch.no_grad():
            mixer.decay.fill_(-1)
            mixer.frequency.zero_()
            mixer.log_dt.fill_(math.log(dt))
            mixer.B.copy_(torch.tensor([1.0, 0.0]))
        exponents, B = mixer.discretised()
        assert (exponents.exp().item(), B.item()) == pytest.approx(expected)


def test_blocks_of_s5_start_from_hippo_of_their_size():
    mixer = S5(dim=3, max_len=4, state=8, blocks=2)
    assert mixer.frequency.tolist() == pytest.approx([0.5565011, 4.6032930] * 2, abs=1e-5)
    assert mixer.decay.tolist() == [-0.5] * 4
    B = torch.view_as_complex(S5(dim=4000, max_len=4, state=8, blocks=2).B.detach())
    # V⁻¹B₀ with orthonormal V: as B₀, of variance 1/P.
    assert (B.abs().square().mean() * 8).item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("spread", "variance"), [("truncated", 2 / 8), ("lecun", 2 / 8 / 600), ("complex", 1.0)]
)
def test_spread_of_the_output_matrix_of_s5(spread, variance):
    C = torch.view_as_complex(S5(dim=600, max_len=4, state=8, blocks=2, spread=spread).C.detach())
    assert C.abs().square().mean().item() == pytest.approx(variance, rel=0.1)


def test_clip_keeps_modes_of_s5_from_growing():
    mixer = S5(dim=2, max_len=4, state=4, blocks=1, clip=True)
    with torch.no_grad():
        mixer.decay.fill_(1.0)
    assert (mixer.discretised()[0].exp().abs() < 1).all()


def test_damped_average_of_one_dimension():
    # α = δ = ½, β = 2, η = 3: K = 3·½·2·(1, ¾, 9/16, …), and y = silu(K * x + ω x).
    average = DampedAverage(1, 1, bidirectional=False).double()
    with torch.no_grad():
        for parameter, value in zip(average.parameters(), (0.0, 0.0, 2.0, 3.0, 1.0), strict=True):
            parameter.fill_(value)
    assert average.kernels(3)[0][0].tolist() == pytest.approx([3.0, 2.25, 1.6875])
    y = average(torch.tensor([[[1.0], [0.0]]], dtype=torch.float64))
    silu = [z / (1 + math.exp(-z)) for z in (4.0, 2.25)]
    assert y.flatten().tolist() == pytest.approx(silu)


def test_both_averages_of_mega_see_the_token_itself():
    average = DampedAverage(1, 1, bidirectional=True).double()
    with torch.no_grad():
        for parameter, value in zip(average.parameters(), (0.0, 0.0, 2.0, 3.0, 0.0), strict=True):
            parameter.fill_(value)
    first, back = average.kernels(3)
    assert first[0].tolist() == pytest.approx([6.0, 2.25, 1.6875])
    assert back[0].tolist() == pytest.approx([2.25, 1.6875, 1.265625])


def test_laplace_function_of_mega_at_its_mean():
    # One token, q = k = 0 and a relative bias of √½ = μ: f(μ) = ½.
    mixer = Mega(dim=2, max_len=1, function="laplace").double()
    with torch.no_grad():
        mixer.relative.fill_(math.sqrt(0.5))
    q, v = torch.zeros(1, 1, 64).double(), torch.ones(1, 1, 4).double()
    torch.testing.assert_close(mixer.attend(q, q, v, None), v / 2)


def test_windows_of_hyena():
    # e^{-δt} is 0.01 at t = 1.5 for the slowest channel and at t = 0.3 for the fastest.
    mixer = Hyena(dim=3, max_len=11, order=1, width=4).double()
    plain = Hyena(dim=3, max_len=11, order=1, width=4).double()
    plain.load_state_dict(mixer.state_dict())
    plain.shift = 1e12  # beside which the window is nothing
    window = mixer.kernels(11) / (plain.kernels(11) / 1e12)
    t = torch.arange(11) / 10
    for channel, reach in ((0, 1.5), (2, 0.3)):
        torch.testing.assert_close(window[0, channel], 0.01 ** (t.double() / reach))


def test_hyena_refuses_the_state_of_another_max_len():
    first, second = (Hyena(dim=4, max_len=length, width=4) for length in (8, 9))
    with pytest.raises(RuntimeError, match="max_len=8"):
        second.load_state_dict(first.state_dict())
