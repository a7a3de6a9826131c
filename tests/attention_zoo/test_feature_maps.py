"""What attentions by feature maps promise beyond the contract."""

import importlib
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention


def build(spec, N=64, D=8):
    return build_attention(spec, heads=2, head_dim=D, max_len=N).double()


def qkv(N=16, D=8, scale=1.0):
    return (scale * torch.randn(3, 2, 2, N, D, dtype=torch.float64)).unbind()


@pytest.fixture(scope="module")
def performer_pytorch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("performer_pytorch.performer_pytorch")


@pytest.fixture
def fast_attention(performer_pytorch):
    def make(performer, **options):
        rows, width = performer.omega.shape
        theirs = performer_pytorch.FastAttention(width, nb_features=rows, **options).double()
        theirs.projection_matrix.copy_(performer.omega)
        return theirs

    return make


@pytest.mark.parity
def test_performer_is_performer_pytorchs_but_for_its_stabiliser(performer_pytorch, fast_attention):
    """They add ε = 1e-4 to features that they divide by the largest, for the keys by one of all
    tokens. With ε = 0 all digits agree; with it the difference grows with the inputs, as small
    features drown in ε: 3e-4 for these."""
    q, k, v = qkv(scale=0.5)
    ours = build("performer:features=20")
    phi_q, phi_k = (
        performer_pytorch.softmax_kernel(x, projection_matrix=ours.omega, is_query=x is q, eps=0.0)
        for x in (q, k)
    )
    assert_close(ours(q, k) @ v, performer_pytorch.linear_attention(phi_q, phi_k, v))
    assert_close(ours(q, k) @ v, fast_attention(ours)(q, k, v), atol=1e-3, rtol=0)


@pytest.mark.parity
def test_performer_with_logits_over_D_is_the_lra_codes_that_scales_twice(fast_attention):
    q, k, v = qkv(scale=0.5)
    ours = build("performer:features=20,logit_scale=0.125")
    theirs = fast_attention(ours)(q / 8**0.25, k / 8**0.25, v)
    assert_close(ours(q, k) @ v, theirs, atol=1e-3, rtol=0)
    assert (build("performer:features=20")(q, k) @ v - theirs).abs().max() > 1e-2


def test_performers_logits_are_scaled_as_asked():
    q, k, _ = qkv()
    paper, scaled = build("performer:features=20"), build("performer:features=20,logit_scale=0.125")
    root = (0.125 * 8**0.5) ** 0.5
    assert_close(scaled(q, k).dense(), paper(root * q, root * k).dense())
    assert (scaled(q, k).dense() - paper(q, k).dense()).abs().max() > 0.1


@pytest.mark.parity
@pytest.mark.parametrize("features", [5, 20])
def test_performer_with_relu_is_performer_pytorchs_generalised_attention(fast_attention, features):
    q, k, v = qkv()
    ours = build(f"performer:kernel=relu,features={features}")
    theirs = fast_attention(ours, generalized_attention=True)
    assert_close(ours(q, k) @ v, theirs(q, k, v))


@pytest.mark.parity
def test_performer_with_relu_and_no_features_projects_nothing(performer_pytorch):
    q, k, v = qkv()
    phi_q, phi_k = (
        performer_pytorch.generalized_kernel(x, projection_matrix=None, normalize_data=False)
        for x in (q, k)
    )
    ours = build("performer:kernel=relu,features=0")
    assert_close(ours(q, k) @ v, performer_pytorch.linear_attention(phi_q, phi_k, v))
    ours.resample(torch.Generator().manual_seed(1))


def test_relu_on_numbers():
    q = torch.tensor([[1.0, -1.0], [2.0, 1.0], [-1.0, -1.0]]).double().expand(1, 2, 3, 2)
    k = torch.tensor([[3.0, 0.0], [-5.0, 1.0], [1.0, 2.0]]).double().expand(1, 2, 3, 2)
    expected = torch.tensor([[3, 0, 1], [6, 1, 4], [0, 0, 0]]).double()
    expected = expected / torch.tensor([[4.0], [11.0], [1.0]])
    assert_close(build("relu", D=2)(q, k).dense(), expected.expand(1, 2, 3, 3))


def test_rows_of_relu_and_cosformer_sum_to_one_or_are_zero():
    q, k = qkv(N=64, D=2)[:2]
    for spec in ("relu", "cosformer"):
        sums = build(spec, D=2)(q, k).dense().sum(-1)
        empty = (q <= 0).all(-1)
        assert empty.any()
        assert_close(sums, (~empty).double())


def test_cosformer_weights_fall_as_the_cosine_of_the_distance():
    q, _, _ = qkv(N=6)
    matrix = build("cosformer")(torch.ones_like(q), torch.ones_like(q)).dense()
    far = torch.tensor([math.cos(math.pi / 2 * j / 6) for j in range(6)]).double()
    assert_close(matrix[0, 0, 0], far / far.sum(), atol=1e-6, rtol=1e-6)
    assert (matrix > 0).all()


def test_cosformer_counts_places_among_real_tokens():
    q, k, v = qkv(N=9)
    keep = torch.tensor([[0, 1, 1, 0, 1, 0, 1, 1, 0], [1] * 9], dtype=torch.bool)
    attention = build("cosformer")
    gathered = [x[:1, :, keep[0]] for x in (q, k, v)]
    assert_close(
        (attention(q, k, keep) @ v)[:1, :, keep[0]],
        attention(gathered[0], gathered[1]) @ gathered[2],
    )


def test_focused_with_p_1_is_relu_attention_but_for_its_epsilon():
    q, k, _ = qkv()
    relu = build("relu")(q.abs(), k.abs()).dense()  # |x| leaves no feature to the ε
    assert_close(build("focused:p=1")(q.abs(), k.abs()).dense(), relu, rtol=1e-4, atol=0)


@settings(max_examples=20)
@given(st.integers(0, 2**20), st.sampled_from([2, 3, 5]))
def test_focusing_draws_weight_to_keys_of_the_querys_direction(seed, p):
    """What the paper wants of it: pairs whose largest features agree gain, others lose."""
    generator = torch.Generator().manual_seed(seed)
    width = 4
    axes = torch.eye(width, dtype=torch.float64).expand(1, 2, width, width)
    noise = torch.rand(1, 2, width, width, generator=generator, dtype=torch.float64)
    x = axes + 0.5 * noise
    plain, focused = (
        build(f"focused:p={power}", D=width)(x, x).dense().diagonal(dim1=-2, dim2=-1)
        for power in (1, p)
    )
    assert (focused > plain).all()


def test_focused_takes_the_steps_of_its_released_code_where_there_is_one_head():
    """With one head its norms over all heads are norms over the head; it has 1e-6 in D, too."""
    q, k, v = (x[:, :1] for x in qkv())
    attention = build_attention("focused", heads=1, head_dim=8, max_len=16).double()
    with torch.no_grad():
        attention.s += torch.randn_like(attention.s)
    features = []
    for x in (q, k):
        x = (F.relu(x) + 1e-6) / F.softplus(attention.s)
        cubed = x**3
        features.append(cubed / cubed.norm(dim=-1, keepdim=True) * x.norm(dim=-1, keepdim=True))
    weights = features[0] @ features[1].mT
    expected = weights @ v / (weights.sum(-1, keepdim=True) + 1e-6)
    assert_close(attention(q, k) @ v, expected, rtol=1e-4, atol=1e-5)


def test_focused_convolves_values_along_the_tokens_of_a_head():
    q, k, v = qkv()
    attention = build("focused:conv=3")
    with torch.no_grad():
        attention.kernel.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]))
    convolved = attention(q, k) @ v - build("focused")(q, k) @ v
    expected = v.clone()
    expected[:, 0] = F.pad(v[:, 0, :-1], (0, 0, 1, 0)) + 2 * F.pad(v[:, 0, 1:], (0, 0, 0, 1))
    assert_close(convolved, expected)


def test_focused_keeps_its_digits_in_float16():
    q, k, v = (x.half() for x in qkv(scale=20.0))
    exact = build("focused")(q.double(), k.double()) @ v.double()
    rough = build("focused").half()(q, k) @ v
    assert (rough.double() - exact).norm() < 2e-3 * exact.norm()


def test_rows_of_focused_always_sum_to_one_without_its_convolution():
    q, k, _ = qkv(D=2)
    sums = build("focused", D=2)(-q.abs(), k).dense().sum(-1)
    assert_close(sums, torch.ones_like(sums))


def test_rfa_bounds_its_rows_and_clamps_only_below_what_the_kernel_can_be():
    rfa = build("rfa:features=2")
    clamped = 0
    for seed in range(20):
        rfa.resample(torch.Generator().manual_seed(seed))
        matrix = rfa(*qkv(N=3)[:2]).dense()
        sums = matrix.sum(-1)
        assert (matrix.abs().sum(-1) <= math.exp(2) + 1e-9).all()
        assert (sums <= 1 + 1e-9).all()
        clamped += (sums < 1 - 1e-9).sum()
    assert 0 < clamped < 60
    q = qkv(N=3)[0]
    sums = build("rfa:features=512")(q, q).dense().sum(-1)
    assert_close(sums, torch.ones_like(sums))


def test_rfa_redraws_by_the_generator_alone_and_for_each_head():
    rfa = build_attention("rfa:features=6", heads=2, head_dim=8, max_len=8)
    first = rfa.omega.clone()
    assert rfa.redraw == 1 and not torch.equal(*first)
    rfa.resample(torch.Generator().manual_seed(1))
    assert not torch.equal(first, rfa.omega)
    rfa.resample(torch.Generator().manual_seed(0))
    assert torch.equal(first, rfa.omega)


@pytest.mark.parametrize(
    "spec",
    [
        "rfa:features=0",
        "rfa:tau=0.1",
        "rfa:redraw=-1",
        "focused:p=0",
        "focused:conv=4",
        "focused:conv=-1",
        "performer:features=0",
        "performer:kernel=relu,features=-1",
        "performer:logit_scale=0.0",
        "performer:kernel=relu,logit_scale=0.5",
    ],
)
def test_options_that_mean_nothing_are_refused(spec):
    with pytest.raises(UsageError, match=f"^{spec.split(':')[0]} needs [^\n]*$"):
        build(spec)
