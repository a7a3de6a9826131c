import pytest
import torch
from torch.testing import assert_close

from attention_zoo import DenseOperator, UsageError, build_layer
from attention_zoo.build import build_attention
from gfsa import GraphFilter, IdentityFilter, MeanFilter, RandomFilter

SIZES = {"heads": 2, "head_dim": 8, "max_len": 30}


def counted(spec):
    return sum(w.numel() for w in build_attention(spec, **SIZES).parameters())


def test_the_mean_control_has_as_many_weights_as_gfsa():
    assert counted("linear+mean") == counted("linear+gfsa") == 6
    assert counted("linear+identity") == 4
    assert counted("linear+gfsa:share=heads") == counted("linear+mean:share=heads") == 3


@pytest.mark.parametrize("spec", ["linear+mean", "linear+identity", "linear+mean:share=heads"])
def test_they_start_as_their_base_bit_for_bit(spec):
    q, k, v = torch.randn(3, 1, 2, 30, 8)
    keep = torch.arange(30)[None] < 20
    real = keep[:, None, :, None]
    base = build_attention("linear", **SIZES)(q, k, keep) @ v
    assert torch.equal((build_attention(spec, **SIZES)(q, k, keep) @ v) * real, base * real)


def test_on_an_attention_that_is_the_mean_gfsa_and_the_control_are_one():
    """Ā = 11ᵀ/n: every power of it is Ā."""
    matrix, v = torch.full((1, 2, 5, 5), 0.2), torch.randn(1, 2, 5, 3)
    graph = GraphFilter(2, K=4, mode="power", w0=0.3, w1=0.4, wK=0.5)(DenseOperator(matrix), v)
    control = MeanFilter(2, w0=0.3, w1=0.4, wm=0.5)(DenseOperator(matrix), v)
    assert_close(graph, control)


def test_a_mean_of_many_tokens_is_finite_in_float16():
    v = torch.full((1, 2, 1000, 4), 100.0, dtype=torch.float16)
    matrix = torch.eye(1000, dtype=torch.float16).expand(1, 2, -1, -1)
    assert_close(DenseOperator(matrix).mean(v), v)


def test_random_weights_are_drawn_once_and_never_learned():
    torch.manual_seed(0)
    drawn = RandomFilter(5, K=3, norm=0.25)
    assert not any(w.requires_grad for w in drawn.parameters())
    moved = torch.stack([drawn.w0, drawn.w1 - 1, drawn.wK])
    assert_close(moved.norm(dim=0), torch.full((5,), 0.25))
    assert len({w.item() for w in drawn.wK}) == 5
    torch.manual_seed(0)
    assert torch.equal(RandomFilter(5, K=3, norm=0.25).wK, drawn.wK)


def test_random_weights_are_those_of_the_seed_and_of_the_layer_and_shift_no_other_draw():
    weights = []
    for seed, layer in ((1, 1), (1, 1), (2, 1), (1, 2)):
        torch.manual_seed(seed)
        made = build_layer("linear+random", dim=16, heads=2, max_len=8, layer=layer)
        weights.append((made.attention.filters[0].wK, torch.randn(1)))
    torch.manual_seed(1)
    build_layer("linear", dim=16, heads=2, max_len=8)
    assert torch.equal(weights[0][1], torch.randn(1))
    first, same, other_seed, other_layer = (w for w, _ in weights)
    assert torch.equal(first, same)
    assert not torch.equal(first, other_seed) and not torch.equal(first, other_layer)


def test_a_random_filter_that_moves_nowhere_is_refused():
    with pytest.raises(UsageError, match="norm > 0"):
        RandomFilter(2, norm=0.0)


@pytest.mark.parametrize("share", ["heads", "none"])
def test_the_response_is_that_of_a_diagonal_operator(share):
    draws = torch.Generator().manual_seed(0)
    values = torch.rand(2, 7, generator=draws, dtype=torch.float64)
    operator = DenseOperator(torch.diag_embed(values)[None])
    ones = torch.ones(1, 2, 7, 1, dtype=torch.float64)
    for graph_filter in (
        IdentityFilter(2, w0=0.3, w1=-0.4, share=share),
        GraphFilter(2, K=5, w0=0.3, wK=0.7, share=share),
        GraphFilter(2, K=5, mode="power", w0=0.3, wK=0.7, share=share),
    ):
        graph_filter = graph_filter.double()
        assert_close(graph_filter.response(values), graph_filter(operator, ones)[0, ..., 0])
    assert MeanFilter(2).response(values) is None
