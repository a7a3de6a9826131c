"""The long convolution, the scan and HiPPO's normal part against loops and worked numbers."""

import math

import pytest
import torch

from attention_zoo.errors import UsageError
from attention_zoo.parts.hippo import hippo_input, hippo_normal
from attention_zoo.parts.long_convolution import exponential_sum, long_convolution
from attention_zoo.parts.scan import diagonal_scan
from attention_zoo.parts.steps import log_steps

C = 3


def drawn(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("N", [1, 2, 63, 64, 65, 200])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_sum_of_exponentials(N, dtype):
    weights, exponents = drawn(C, 5, dtype=dtype), drawn(C, 5, dtype=dtype)
    exponents = torch.complex(-exponents.abs(), exponents.imag) if dtype.is_complex else -exponents
    exponents = exponents / 20
    found = exponential_sum(weights, exponents, N)
    for place in range(N):
        expected = sum(weights[:, m] * exponents[:, m].exp() ** place for m in range(5))
        torch.testing.assert_close(found[:, place], expected, rtol=1e-9, atol=1e-9)


def convolved(x, kernel, reverse):
    rows = []
    for i in range(x.shape[1]):
        row = sum(kernel[:, i - j] * x[:, j] for j in range(i + 1))
        if reverse is not None:
            row = row + sum(reverse[:, j - i - 1] * x[:, j] for j in range(i + 1, x.shape[1]))
        rows.append(row)
    return torch.stack(rows, 1)


@pytest.mark.parametrize("N", [1, 2, 17, 40])
@pytest.mark.parametrize("both", [False, True])
def test_fft_convolution_is_the_direct_sum_with_its_gradients(N, both):
    given = [drawn(2, N, C), drawn(C, N), *([drawn(C, N)] if both else [])]
    for tensor in given:
        tensor.requires_grad_()
    upstream = drawn(2, N, C)
    y = long_convolution(*given)
    expected = convolved(*given, *([] if both else [None]))
    torch.testing.assert_close(y, expected)
    ours, theirs = (
        torch.autograd.grad(out, given, upstream, allow_unused=True, materialize_grads=True)
        for out in (y, expected)  # of one token, nothing depends on the reverse kernel
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_fft_convolution_does_not_see_zeros_after_the_last_token():
    x, kernel, reverse = drawn(2, 20, C), drawn(C, 50), drawn(C, 50)
    longer = torch.cat([x, torch.zeros(2, 30, C, dtype=x.dtype)], 1)
    short = long_convolution(x, kernel[:, :20], reverse[:, :20])
    torch.testing.assert_close(long_convolution(longer, kernel, reverse)[:, :20], short)


@pytest.mark.parametrize("N", [1, 5, 15, 16, 17, 100, 256, 257, 600])
def test_scan_is_the_loop_with_its_gradients(N):
    u = drawn(2, N, C, dtype=torch.complex128).requires_grad_()
    exponents = torch.complex(-torch.rand(C).double() / 10, drawn(C)).requires_grad_()
    state, states = torch.zeros(2, C, dtype=u.dtype), []
    for i in range(N):
        state = exponents.exp() * state + u[:, i]
        states.append(state)
    expected, x = torch.stack(states, 1), diagonal_scan(u, exponents)
    torch.testing.assert_close(x, expected)
    upstream = drawn(2, N, C, dtype=torch.complex128)
    ours, theirs = (torch.autograd.grad(y, (u, exponents), upstream) for y in (x, expected))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_scan_of_a_growing_mode_stays_finite_where_the_recurrence_does():
    exponents = torch.tensor([0.5 + 1j], dtype=torch.complex64, requires_grad=True)
    x = diagonal_scan(torch.ones(1, 130, 1, dtype=torch.complex64), exponents)
    (gradient,) = torch.autograd.grad(x.abs().sum(), exponents)
    assert x.isfinite().all()
    assert gradient.isfinite().all()


def test_hippo_normal_at_worked_sizes():
    # N = 2: ½√1√3 off the diagonal. N = 4: ω⁴ − 21.5 ω² + 105/16 = 0, where 21.5 is the sum of
    # (2i + 1)(2j + 1)/4 over i < j and √105/4 the Pfaffian.
    assert hippo_normal(2)[0].tolist() == pytest.approx([-0.5 + 0.8660254038j])
    root = math.sqrt(21.5**2 - 4 * 105 / 16)
    expected = [math.sqrt((21.5 - root) / 2), math.sqrt((21.5 + root) / 2)]
    assert expected == pytest.approx([0.5565011, 4.6032930], abs=1e-6)
    eigenvalues, _ = hippo_normal(4)
    assert eigenvalues.imag.tolist() == pytest.approx(expected)
    assert eigenvalues.real.tolist() == [-0.5, -0.5]
    assert hippo_input(3).tolist() == pytest.approx([1.0, 3**0.5, 5**0.5])


def test_hippo_normal_is_legs_plus_a_term_of_rank_one():
    N = 8
    legs = torch.zeros(N, N, dtype=torch.float64)
    for n in range(N):
        for k in range(n):
            legs[n, k] = -math.sqrt((2 * n + 1) * (2 * k + 1))
        legs[n, n] = -(n + 1)
    P = (torch.arange(N, dtype=torch.float64) + 0.5).sqrt()
    eigenvalues, V = hippo_normal(N)
    half = V @ torch.diag(eigenvalues) @ V.mH
    torch.testing.assert_close(2 * half.real, legs + torch.outer(P, P))
    torch.testing.assert_close(V.mH @ V, torch.eye(N // 2, dtype=V.dtype))
    with pytest.raises(UsageError, match="even"):
        hippo_normal(5)


def test_step_sizes_are_even_in_their_logarithm():
    dt = log_steps(20000, 0.001, 0.1).exp()
    assert dt.min() >= 0.00099 and dt.max() <= 0.101
    assert (dt < 0.01).double().mean().item() == pytest.approx(0.5, abs=0.02)
    with pytest.raises(UsageError, match="dt_min"):
        log_steps(3, 0.1, 0.01)
