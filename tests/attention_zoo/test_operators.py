import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_zoo import DenseOperator, FactoredOperator, FilteredOperator
from attention_zoo.costs import count_flops
from attention_zoo.operators import row_stochastic_factors


def factors(R, N=11, D=4, dtype=torch.float64):
    q, k = torch.rand(2, 2, 2, N, R, dtype=dtype).unbind()
    return *row_stochastic_factors(q, k), torch.randn(2, 2, N, D, dtype=dtype)


def dense_polynomial(coefficients, A, v):
    total = torch.zeros_like(v)
    power = v
    for coefficient in coefficients:
        total = total + coefficient.view(-1, 1, 1) * power
        power = A @ power
    return total


@settings(max_examples=60)
@given(order=st.integers(0, 6), R=st.sampled_from([1, 3, 4, 8, 16, 40]))
def test_factored_polynomial_is_the_dense_one_whichever_order_it_picks(order, R):
    left, right, v = factors(R)
    coefficients = list(torch.randn(order + 1, 2, dtype=torch.float64))
    factored = FactoredOperator(left, right).polynomial(coefficients, v)
    dense = DenseOperator(left @ right).polynomial(coefficients, v)
    expected = dense_polynomial(coefficients, left @ right, v)
    assert_close(factored, expected)
    assert_close(dense, expected)


@pytest.mark.parametrize(
    ("R", "order", "applications"), [(7, 2, 0), (8, 2, 2), (15, 3, 0), (16, 3, 3), (100, 1, 1)]
)
def test_closed_form_where_it_is_cheaper(R, order, applications):
    """Closed when R < 2D(order−1), D = 4; else one application an order."""
    left, right, v = factors(R)
    operator = FactoredOperator(left, right)
    B, H, N, D = v.shape
    one = 2 * 2 * B * H * N * R * D
    closed = one + 2 * B * H * (R * N * R + (order - 1) * R * R * D)
    counted, _ = count_flops(lambda: operator.polynomial([torch.ones(2)] * (order + 1), v))
    assert counted == (applications * one if applications else closed)


@pytest.mark.parametrize(("R", "order"), [(3, 2), (7, 4), (8, 2), (30, 3)])
def test_the_backward_pass_of_factored_polynomials_is_that_of_the_dense_one(R, order):
    """Twice differentiated, and forward, with coefficients a head."""
    left, right, v = factors(R)
    inputs = [x[:1, :, :3].detach() for x in (left, right.mT, v)]
    inputs = [x.requires_grad_() for x in (torch.randn(order + 1, 2).double(), *inputs)]

    def apply(c, left, keys, v):
        return FactoredOperator(left, keys.mT).polynomial(c.unbind(), v)

    assert torch.autograd.gradcheck(apply, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(apply, inputs, check_fwd_over_rev=True)


class Half(FactoredOperator):
    def _apply(self, v):
        return super()._apply(v) / 2


def test_a_polynomial_is_of_what_a_subclass_applies():
    left, right, v = factors(8)
    coefficients = [torch.ones(2, dtype=torch.float64)] * 3
    expected = dense_polynomial(coefficients, left @ right / 2, v)
    assert_close(Half(left, right).polynomial(coefficients, v), expected)


def test_powers_of_weight_0_at_the_end_are_not_formed():
    big = torch.full((1, 1, 4, 64), 10.0, dtype=torch.float16)  # Ā² overflows
    v = torch.ones(1, 1, 4, 4, dtype=torch.float16)
    assert torch.equal(FactoredOperator(big, big.mT).polynomial([1.0, 0.0, 0.0], v), v)


def test_under_autocast_the_backward_pass_has_the_forwards_dtypes():
    left, right, v = (x.float().requires_grad_() for x in factors(3))
    with torch.autocast("cpu", torch.bfloat16):
        y = FactoredOperator(left, right).polynomial([torch.ones(2)] * 3, v)
    y.sum().backward()
    assert y.dtype == v.grad.dtype == torch.float32


def test_row_stochastic_factors_and_their_gradients():
    q, k = torch.rand(2, 2, 1, 6, 3, dtype=torch.float64).unbind()
    k[:, :, 4:] = 0
    k[..., 1] = 0  # a feature that no key has
    q[:, :, 2] = 0  # a query without features: its row is 0/0 = 0
    left, right = row_stochastic_factors(q, k)
    weights = q @ k.mT
    expected = weights / weights.sum(-1, keepdim=True)
    assert_close(left @ right, expected.nan_to_num(0.0))
    assert not (left @ right)[:, :, 2].any()
    assert_close(right[:, :, [0, 2]].sum(-1), torch.ones(2, 1, 2, dtype=torch.float64))
    inputs = [x.requires_grad_() for x in torch.rand(2, 2, 1, 6, 3, dtype=torch.float64).unbind()]
    assert torch.autograd.gradcheck(row_stochastic_factors, inputs)


def test_gradients_are_finite_where_nothing_can_be_divided():
    q, k = (torch.zeros(1, 1, 4, 3, requires_grad=True) for _ in range(2))
    left, right = row_stochastic_factors(q, k)
    (left.sum() + right.sum()).backward()
    assert not left.any() and not right.any()
    assert q.grad.isfinite().all() and k.grad.isfinite().all()


def test_powers_stay_bounded_in_bfloat16():
    q, k = (torch.rand(2, 1, 1, 64, 8) ** 12 * 100).unbind()
    left, right = (x.bfloat16() for x in row_stochastic_factors(q, k))
    v = torch.ones(1, 1, 64, 8, dtype=torch.bfloat16)
    high = FactoredOperator(left, right).polynomial([0.0] * 20 + [1.0], v)
    assert (high.float() - 1).abs().max() < 0.3  # Ā²⁰1 = 1, and 20 roundings of 0.4 %


def test_filters_stack_from_left_to_right():
    A = torch.rand(1, 2, 5, 5, dtype=torch.float64)
    v = torch.randn(1, 2, 5, 3, dtype=torch.float64)
    square = FilteredOperator(DenseOperator(A), lambda op, v: op @ (op @ v))
    shifted = FilteredOperator(square, lambda op, v: v - op @ v)
    assert_close(shifted @ v, v - A @ A @ v)
    assert_close(shifted.dense(), torch.eye(5, dtype=torch.float64) - A @ A)
    assert_close(shifted.polynomial([0.0, 0.0, 1.0], v), shifted.dense() @ shifted.dense() @ v)
