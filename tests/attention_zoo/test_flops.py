"""Operations by formula are those that are counted, and those of the papers."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from attention_zoo import Filter, Product, build_attention, build_layer, formula_flops, names
from attention_zoo.attention import Attention
from attention_zoo.attentions.linear import Linear
from attention_zoo.costs import count_flops
from attention_zoo.flops import linear_product
from attention_zoo.registry import ATTENTIONS, FILTERS
from attention_zoo.testing.cases import unfiltered

B, H, D, C = 3, 2, 8, 16
ON_CPU = [name for name in names() if name != "xformers"]  # which has no kernel there
SUFFIXES = ["", "+gfsa", "+gfsa:K=5,mode=power"]


def build(spec, N=80, heads=H, head_dim=D):
    return build_attention(spec, heads=heads, head_dim=head_dim, max_len=N, dim=C)


def mask(lengths, N):
    return None if lengths is None else torch.arange(N) < torch.tensor(lengths)[:, None]


def applied(module, N, lengths=None, input_grad=True, B=B, **made):
    """The loss of Āv, as a step."""
    heads, head_dim = unfiltered(module).heads, unfiltered(module).head_dim
    shape = (3, B, heads, N, head_dim)
    q, k, v = (x.requires_grad_() for x in torch.randn(shape, **made).unbind())
    x = torch.randn(B, N, C, **made, requires_grad=input_grad) if module.needs_input else None
    keep = mask(lengths, N)
    return lambda: loss(unfiltered(module), module(q, k, keep, x) @ v)


def layered(layer, N, lengths, input_grad):
    x, keep = torch.randn(B, N, C, requires_grad=input_grad), mask(lengths, N)
    return lambda: loss(unfiltered(layer.attention), layer(x, keep))


def loss(attention, y):
    term = attention.auxiliary_loss()
    return y.sum() if term is None else y.sum() + term


def counted(step, training):
    return count_flops(lambda: step().backward() if training else step())[0]


@pytest.mark.parametrize("name", ON_CPU)
def test_the_formula_of_a_filtered_layer_is_what_is_counted(name):
    """That of an attention is held to what is counted by the kit."""
    layer = build_layer(name + "+gfsa:K=5,mode=power", dim=C, heads=H, max_len=80)
    given = {"lengths": (34, 17, 0), "input_grad": False}
    for training in (False, True):
        stated = formula_flops(layer, B, 34, training=training, **given)
        assert stated == counted(layered(layer, 34, **given), training)


@pytest.mark.parametrize("name", ON_CPU)
def test_it_holds_for_one_example_of_one_head_and_for_blocks_by_default(name):
    for N, head_dim in ((2, 1), (150, 4)):
        module = build(name, N, heads=1, head_dim=head_dim)
        stated = formula_flops(module, 1, N, training=True)
        assert stated == counted(applied(module, N, B=1), training=True)


@pytest.mark.parametrize("N", [64, 97])
def test_it_is_that_of_the_papers(N):
    once = 2 * B * H * N * D  # one product with a column, per feature

    def stated(spec, training=False):
        return formula_flops(build(spec, 128), B, N, training=training)

    assert stated("linear") == 2 * once * D and stated("cosformer") == 4 * once * D
    assert stated("softmax") == stated("sdpa") == 2 * once * N
    assert stated("linear", training=True) == 3 * stated("linear")
    assert stated("mean+gfsa") == stated("identity") == 0
    # Polynomials of order 2: M and M times the R×D state, or Ā twice where R ≥ 2D.
    assert stated("linear+gfsa") == stated("linear") + once * D + 2 * B * H * D**3
    assert stated("performer:features=64+gfsa") == (2 + 4) * once * 64
    # ω has no gradient: its products are done once backward, the others twice.
    performer = stated("performer:features=64", training=True)
    assert performer == (2 * 2 + 2 * 3) * once * 64
    nystrom, R = stated("nystrom:landmarks=16,conv=0,iterations=1"), 16
    small = 2 * B * H * (2 * R * R * D + 4 * R**3)
    assert nystrom == 2 * once * R + 2 * once * R + small


def test_fused_kernels_do_a_fifth_product_and_it_is_known_which_runs():
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        for spec in ("sdpa", "sdpa:backend=math", "sdpa:backend=flash"):
            module = build(spec)
            stated = formula_flops(module, B, 33, training=True, dtype=dtype)
            assert stated == counted(applied(module, 33, dtype=dtype), training=True)
            forward = 4 * B * H * 33**2 * D
            assert stated == (3 if "math" in spec else 3.5) * forward


def test_xformers_leaves_padding_out():
    module = build("xformers")

    def kernel(n):
        forward = sdpa_flop_count(*[(1, H, n, D)] * 3)
        return forward + sdpa_backward_flop_count(*[(1, H, n, D)] * 4)

    assert formula_flops(module, B, 40, training=True) == B * kernel(40)
    padded = formula_flops(module, B, 40, training=True, lengths=[40, 17, 0])
    assert padded == kernel(40) + kernel(17)


@pytest.mark.parametrize("name", names())
def test_any_length_has_a_formula_that_takes_no_work(name):
    a, b, c = (formula_flops(build(name, 4 * 6400), 1, n * 6400, training=True) for n in (1, 2, 4))
    assert 0 <= a <= b <= c and (c == 0) == (name in ("mean", "identity"))
    if unfiltered(build(name, 8)).support.time == "N":
        assert c - b == 2 * (b - a)


def test_a_product_is_counted_by_hand():
    product = Product(2, 3, 5, count=7)
    assert product.flops(training=False) == 2 * 2 * 3 * 5 * 7 == 420
    assert product.flops(training=True) == 3 * 420
    assert Product(2, 3, 5, forward=0, backward=2).flops(training=False) == 0
    layer = nn.Linear(3, 5)
    for learned, input_grad in ((True, True), (True, False), (False, True)):
        layer.weight.requires_grad_(learned)
        x = torch.randn(2, 7, 3, requires_grad=input_grad)
        stated = linear_product(layer, 14, input_grad).flops(training=True)
        assert stated == counted(lambda x=x: layer(x).sum(), training=True)


class Stranger(Linear):
    cost = Attention.cost


class Twice(Filter):
    def forward(self, operator, v):
        return operator @ (operator @ v)

    def reference(self, matrix, keep=None):
        return matrix @ matrix


def test_without_a_formula_it_is_none_and_never_a_guess(monkeypatch):
    for registry in (ATTENTIONS, FILTERS):
        monkeypatch.setattr(registry, "entries", dict(registry.entries))
    ATTENTIONS.register("stranger")(Stranger)
    FILTERS.register("twice")(Twice)
    for spec in ("stranger", "stranger+gfsa", "linear+twice", "linear+twice+gfsa"):
        layer = build_layer(spec, dim=C, heads=H, max_len=8)
        for module in (build(spec), layer):
            assert formula_flops(module, B, 8, training=True) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", names())
def test_the_formula_is_what_is_counted_on_cuda(name, suffix, dtype):
    module = build(name + suffix).cuda()
    if reasons := unfiltered(module).unsupported("cuda", dtype, D):
        pytest.skip("; ".join(reasons))
    given = {"dtype": dtype, "device": "cuda"}
    for training in (False, True):
        stated = formula_flops(module, B, 64, training=training, **given)
        assert stated == counted(applied(module, 64, **given), training)
