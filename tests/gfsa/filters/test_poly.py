import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import eval_chebyt, eval_jacobi
from torch.testing import assert_close

from attention_zoo import DenseOperator, FactoredOperator, UsageError, build_attention
from attention_zoo.testing import verdict
from gfsa import GraphFilter, PolynomialFilter

POINTS = torch.linspace(-1, 1, 41, dtype=torch.float64)


def of_order(k, K, **options):
    """Pₖ of a basis alone."""
    one = [float(i == k) for i in range(K + 1)]
    return PolynomialFilter(1, K=K, start=tuple(one), **options).double()


def on_points(graph_filter, x=POINTS):
    """h(x), of an operator that is diag(x)."""
    operator = DenseOperator(torch.diag(x)[None, None])
    return graph_filter(operator, torch.ones(1, 1, len(x), 1, dtype=x.dtype)).flatten()


@pytest.mark.parametrize("k", range(7))
def test_chebyshev_is_scipys(k):
    graph_filter = of_order(k, 6, basis="chebyshev")
    expected = torch.from_numpy(eval_chebyt(k, POINTS.numpy()))
    assert_close(on_points(graph_filter), expected)
    assert_close(graph_filter.response(POINTS[None])[0], expected)


@given(k=st.integers(0, 8), a=st.floats(-0.95, 3), b=st.floats(-0.95, 3))
def test_jacobi_is_scipys(k, a, b):
    graph_filter = of_order(k, 8, basis="jacobi", a=a, b=b)
    expected = torch.from_numpy(eval_jacobi(k, a, b, POINTS.numpy()))
    assert_close(on_points(graph_filter), expected, rtol=1e-9, atol=1e-9)
    assert_close(graph_filter.response(POINTS[None])[0], expected, rtol=1e-9, atol=1e-9)


def test_a_high_order_keeps_its_digits_where_powers_lose_them():
    """T₆₀ stays in [−1, 1]; as a sum of powers its coefficients reach 10²²."""
    found = on_points(of_order(60, 60, basis="chebyshev"))
    assert_close(found, torch.from_numpy(eval_chebyt(60, POINTS.numpy())), rtol=0, atol=1e-11)


@pytest.mark.parametrize("basis", ["chebyshev", "jacobi"])
@pytest.mark.parametrize("R", [3, 40])
def test_the_closed_form_is_the_recurrence(basis, R):
    """R = 40 is iterated, R = 3 is closed: of one Ā both are the dense polynomial."""
    draws = torch.Generator().manual_seed(0)
    left, right = torch.rand(2, 1, 2, 20, R, generator=draws, dtype=torch.float64) / R
    v = torch.randn(1, 2, 20, 4, generator=draws, dtype=torch.float64)
    graph_filter = PolynomialFilter(2, K=5, basis=basis, start=(0.3, 0.5, -0.2, 0.4, 0.1, 0.7))
    operator = FactoredOperator(left, right.mT)
    assert operator._closes(5, R, 4) == (R == 3)
    expected = graph_filter.double().reference(left @ right.mT) @ v
    assert_close(graph_filter(operator, v), expected)


@pytest.mark.parametrize("options", ["basis=chebyshev", "basis=jacobi,a=0.5,b=-0.3"])
@pytest.mark.parametrize("check", ["reference", "float32"])
def test_a_high_order_holds_to_its_reference(check, options):
    for attention in ("linear", "performer:features=64", "softmax"):
        found = verdict(check, f"{attention}+poly:K=60,{options}")
        assert found.outcome == "holds", found.detail


@given(st.tuples(*[st.floats(-2, 2)] * 3), st.integers(2, 6))
def test_order_two_is_gfsa_where_their_spans_agree(weights, K):
    w0, w1, wK = weights
    theta = (w0, w1 + (2 - K) * wK, (K - 1) * wK)
    matrix = torch.rand(1, 1, 9, 9, dtype=torch.float64).softmax(-1)
    v = torch.randn(1, 1, 9, 3, dtype=torch.float64)
    ours = PolynomialFilter(1, K=2, start=theta).double()(DenseOperator(matrix), v)
    theirs = GraphFilter(1, K=K, w0=w0, w1=w1, wK=wK).double()(DenseOperator(matrix), v)
    assert_close(ours, theirs, rtol=1e-6, atol=1e-6)  # of weights that began as float32


@pytest.mark.parametrize("options", ["K=4", "K=4,basis=chebyshev", "K=1", "share=heads"])
def test_it_starts_as_its_base_bit_for_bit(options):
    q, k, v = torch.randn(3, 1, 2, 30, 8)
    sizes = {"heads": 2, "head_dim": 8, "max_len": 30}
    base = build_attention("linear", **sizes)(q, k) @ v
    assert torch.equal(build_attention(f"linear+poly:{options}", **sizes)(q, k) @ v, base)


def test_jacobi_starts_as_its_base_to_the_last_digits():
    matrix = torch.rand(1, 2, 9, 9, dtype=torch.float64).softmax(-1)
    v = torch.randn(1, 2, 9, 3, dtype=torch.float64)
    graph_filter = PolynomialFilter(2, K=4, basis="jacobi", a=0.5, b=-0.5).double()
    assert_close(graph_filter(DenseOperator(matrix), v), matrix @ v, rtol=1e-6, atol=1e-7)


def test_the_highest_order_starts_finite_in_float32():
    """0 times what overflows would not be."""
    graph_filter = PolynomialFilter(2, K=100, basis="jacobi", a=10.0, b=10.0)
    matrix, v = torch.eye(5).expand(1, 2, -1, -1), torch.randn(1, 2, 5, 3)
    assert_close(graph_filter(DenseOperator(matrix), v), v)


def test_what_learns_is_what_was_asked_for():
    graph_filter = PolynomialFilter(3, K=3, learn=frozenset((2, 3)), share="heads")
    learned = [name for name, w in graph_filter.named_parameters() if w.requires_grad]
    assert learned == ["theta2", "theta3"]
    assert all(w.shape == (1,) for w in graph_filter.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"K": 0}, "1 ≤ K ≤ 100, not 0"),
        ({"basis": "chebyshev", "a": 1.0}, "of basis=jacobi, not of chebyshev"),
        ({"basis": "jacobi", "a": -1.0}, "a > -1 and b > -1"),
        ({"basis": "jacobi", "a": 50.0}, "at most 10, not 50"),
        ({"K": 2, "start": (0.0, 1.0)}, "needs 3 numbers in start, not 2"),
        ({"K": 2, "learn": frozenset((1, 5))}, "has no order 5"),
    ],
)
def test_what_makes_no_polynomial_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        PolynomialFilter(2, **options)
