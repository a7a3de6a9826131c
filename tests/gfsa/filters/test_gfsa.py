import pytest
import torch
from torch.testing import assert_close

from attention_zoo import DenseOperator, build_layer
from gfsa import GraphFilter


def operator(H=2, N=7):
    return DenseOperator(torch.rand(1, H, N, N, dtype=torch.float64).softmax(-1))


def weighted(**options):
    graph_filter = GraphFilter(2, **options).double()
    with torch.no_grad():
        graph_filter.w0.copy_(torch.tensor([0.3, -0.2]))
        graph_filter.w1.copy_(torch.tensor([1.1, 0.7]))
        graph_filter.wK.copy_(torch.tensor([-0.4, 0.9]))
    return graph_filter


@pytest.mark.parametrize("K", [1, 2])
def test_taylor_and_power_agree_while_the_expansion_is_exact(K):
    op, v = operator(), torch.randn(1, 2, 7, 3, dtype=torch.float64)
    taylor, power = weighted(K=K), weighted(K=K, mode="power")
    assert_close(taylor(op, v), power(op, v))


@pytest.mark.parametrize("K", [3, 6])
def test_taylor_and_power_are_two_filters_from_three_on(K):
    op, v = operator(), torch.randn(1, 2, 7, 3, dtype=torch.float64)
    assert not torch.allclose(weighted(K=K)(op, v), weighted(K=K, mode="power")(op, v), rtol=0.05)


@pytest.mark.parametrize("mode", ["taylor", "power"])
@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_constant_values_are_scaled_by_the_sum_of_the_weights(K, mode):
    graph_filter = weighted(K=K, mode=mode)
    ones = torch.ones(1, 2, 7, 3, dtype=torch.float64)
    total = (graph_filter.w0 + graph_filter.w1 + graph_filter.wK).view(-1, 1, 1)
    assert_close(graph_filter(operator(), ones), total * ones)


def test_weights_start_and_learn_as_asked():
    default = GraphFilter(3)
    assert [w.tolist() for w in (default.w0, default.w1, default.wK)] == [[0] * 3, [1] * 3, [0] * 3]
    assert all(w.requires_grad and w.shape == (3,) for w in default.parameters())
    released = GraphFilter(3, w0=-0.05, learn=("wK",))
    assert [name for name, w in released.named_parameters() if w.requires_grad] == ["wK"]
    assert_close(released.w0.data, torch.full((3,), -0.05))
    assert not any(w.requires_grad for w in GraphFilter(3, learn="none").parameters())


@pytest.mark.parametrize(
    "spec", ["linear+gfsa", "sdpa+gfsa:mode=power,K=4", "performer:features=32+gfsa"]
)
def test_no_square_matrix_of_tokens_is_ever_made(spec):
    """Neither Ā nor Ā²: nothing with N² entries is saved or produced on the way."""
    N = 197
    layer = build_layer(spec, dim=16, heads=2, max_len=N)
    sizes = []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for x in out if isinstance(out, tuple) else (out,):
                if isinstance(x, torch.Tensor):
                    sizes.append(x.numel())
            return out

    with Sizes():
        layer(torch.randn(1, N, 16)).sum().backward()
    assert len(sizes) > 20
    assert max(sizes) < N * N
