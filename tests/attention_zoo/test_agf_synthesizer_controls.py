"""What the controls, the Synthesizer and AGF promise beyond the contract."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention, build_layer
from attention_zoo.attentions.agf import _orders, _Polynomial, jacobi_polynomial, recurrence

H, D, C, MAX_LEN = 2, 8, 12, 20
KEEP = torch.tensor([[1] * 17, [0, 1, 1, 0] * 4 + [1], [0] * 5 + [1] + [0] * 11]).bool()
SPECS = [
    *("mean", "identity", "synthesizer", "synthesizer:kind=dense"),
    *("agf", "agf:K=1,alpha=0.5,beta=0.5", "agf:K=6,alpha=1.5,beta=2.0"),
]


def build(spec, max_len=MAX_LEN, seed=1):
    module = build_attention(spec, heads=H, head_dim=D, max_len=max_len, dim=C).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return module


def inputs(B=3, N=17, seed=0):
    """q, k, v, x."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(3, B, H, N, D, generator=generator, dtype=torch.float64)
    return *draw, torch.randn(B, N, C, generator=generator, dtype=torch.float64)


def real_mean(v, keep):
    rows = keep[:, None, :, None]
    return torch.where(rows, v, 0.0).sum(-2, keepdim=True) / rows.sum(-2, keepdim=True)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("keep", [None, KEEP], ids=["full", "holes"])
def test_values_and_gradients_are_those_of_the_reference_given_x(spec, keep):
    module = build(spec)
    given = [x.requires_grad_() for x in inputs()]
    q, k, v, x = given
    mask = torch.ones(3, 17, dtype=torch.bool) if keep is None else keep
    rows, clean = mask[:, None, :, None], torch.where(mask[..., None], x, 0.0)
    upstream = torch.where(rows, torch.randn_like(v), 0.0)
    q_, k_ = (torch.where(rows, y, 0.0) for y in (q, k))
    matrix = module.reference(q_, k_, keep, *([clean] if module.needs_input else []))
    assert not matrix.masked_select(~rows.mT.expand_as(matrix)).any()
    assert_close(module(q, k, keep, x).dense() * rows, matrix * rows)
    wanted = [*given, *module.parameters()]
    results = [
        torch.autograd.grad(y, wanted, upstream, materialize_grads=True)
        for y in (module(q, k, keep, x) @ v, matrix @ torch.where(rows, v, 0.0))
    ]
    for ours, theirs in zip(*results, strict=True):
        assert_close(ours, theirs)


@pytest.mark.parametrize("spec", ["mean", "identity", "synthesizer", "synthesizer:kind=dense"])
def test_what_looks_at_neither_q_nor_k_has_no_projection_for_them(spec):
    layer = build_layer(spec, dim=16, heads=2, max_len=MAX_LEN)
    assert layer.qkv.weight.shape == (16, 16)
    assert layer(torch.randn(2, 9, 16)).shape == (2, 9, 16)


def test_mean_is_the_mean_of_the_real_tokens():
    q, k, v, _ = inputs()
    operator = build("mean")(q, k, KEEP)
    assert_close(operator @ v, real_mean(v, KEEP).expand_as(v))
    assert torch.equal(operator @ v, operator.mean(v))
    flat = torch.full((1, H, 5000, D), 60.0, dtype=torch.float16)  # whose sum is no float16
    long = build_attention("mean", heads=H, head_dim=D, max_len=5000)
    assert torch.equal(long(flat, flat) @ flat, flat)


@pytest.mark.parametrize("options", ["K=2", "K=5", "K=4,mode=power"])
def test_gfsa_on_the_mean_weighs_a_token_against_the_mean(options):
    module = build(f"mean+gfsa:{options}")
    q, k, v, _ = inputs()
    w0, w1, wK = (w.view(-1, 1, 1) for w in module.filters[0].parameters())
    expected = w0 * torch.where(KEEP[:, None, :, None], v, 0.0) + (w1 + wK) * real_mean(v, KEEP)
    assert_close(module(q, k, KEEP) @ v, expected)


@pytest.mark.parametrize("options", ["K=2", "K=5", "K=4,mode=power"])
def test_gfsa_on_the_identity_scales_the_values(options):
    module = build(f"identity+gfsa:{options}")
    q, k, v, _ = inputs()
    total = sum(module.filters[0].parameters()).view(-1, 1, 1)
    assert_close(module(q, k) @ v, total * v)


def test_no_token_sees_another_through_the_identity():
    layer = build_layer("identity+gfsa", dim=16, heads=2, max_len=MAX_LEN)
    x = torch.randn(2, 9, 16)
    other = torch.cat([x[:, :4], torch.randn(2, 5, 16)], 1)
    assert_close(layer(x)[:, :4], layer(other)[:, :4])


def test_powers_of_elu_plus_one_attention_give_all_tokens_nearly_the_same_mean():
    """Which is why `mean` is a control, although theirs is a weighted one."""
    q, k, _, _ = inputs(N=17)
    matrix = build("linear")(q, k).dense()
    pool = build("mean")(q, k).dense()
    square = matrix @ matrix
    assert (square - pool @ square).norm() < 0.1 * (matrix - pool @ matrix).norm()
    assert (square - pool).norm() > 0.5 * (matrix - pool).norm()


def test_random_synthesizer_is_one_matrix_for_every_input():
    module = build("synthesizer:rank=3")
    a, b = inputs(seed=1), inputs(seed=2)
    first = module(a[0], a[1]).dense()
    assert torch.equal(first, module(b[0], b[1]).dense())
    assert torch.equal(first[0], first[2])


@given(st.integers(1, 12), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_random_synthesizer_of_full_rank_is_any_row_stochastic_matrix(N, seed):
    wanted = torch.rand(H, N, N, generator=torch.Generator().manual_seed(seed)).double() + 0.01
    wanted /= wanted.sum(-1, keepdim=True)
    module = build(f"synthesizer:rank={N}", max_len=N)
    with torch.no_grad():
        module.R1.copy_(wanted.log())
        module.R2.copy_(torch.eye(N))
    q, k, *_ = inputs(B=1, N=N)
    assert_close(module(q, k).dense()[0], wanted)


def test_random_synthesizer_by_hand():
    module = build("synthesizer:rank=1", max_len=4)
    with torch.no_grad():
        module.R1.copy_(torch.tensor([[[1.0], [2.0], [0.0], [5.0]]]).expand(H, -1, -1))
        module.R2.copy_(torch.tensor([[[0.0], [7.0], [1.0], [5.0]]]).log1p().expand(H, -1, -1))
    q, k, *_ = inputs(B=1, N=3)
    keep = torch.tensor([[True, False, True]])
    rows = [[1 / 3, 0.0, 2 / 3], [1 / 5, 0.0, 4 / 5], [1 / 2, 0.0, 1 / 2]]  # 1 : 2^R₁
    expected = torch.tensor(rows, dtype=torch.float64).expand(1, H, 3, 3)
    assert_close(module(q, k, keep).dense(), expected, rtol=1e-6, atol=1e-6)


def test_scores_of_the_random_synthesizer_start_with_variance_one():
    module = build_attention("synthesizer", heads=8, head_dim=4, max_len=200)
    scores = module.R1 @ module.R2.mT
    assert scores.var().item() == pytest.approx(1, abs=0.1)


def test_dense_synthesizer_makes_each_row_from_its_own_token():
    module = build("synthesizer:kind=dense")
    q, k, _, x = inputs()
    other = x.clone()
    other[:, 5] += 1
    changed = (module(q, k, None, x).dense() != module(q, k, None, other).dense()).any(-1)
    assert changed[:, :, 5].all() and changed.sum() == 3 * H


def test_dense_synthesizer_is_the_public_tiling_up_to_the_order_of_columns():
    """Where a = 4 and b = 3 have no common factor."""
    module = build("synthesizer:kind=dense", max_len=12)
    q, k, _, x = inputs(N=12)
    A, B = (F(x).unflatten(-1, (H, -1)).transpose(1, 2) for F in (module.F_A, module.F_B))
    assert (A.shape[-1], B.shape[-1]) == (4, 3)
    tiled = (A.repeat(1, 1, 1, 3) * B.repeat(1, 1, 1, 4)).softmax(-1)
    j = torch.arange(12)
    assert_close(module(q, k, None, x).dense()[..., (j % 4) * 3 + j % 3], tiled)


@given(st.integers(1, 5000))
@settings(max_examples=50, deadline=None)
def test_factors_of_the_dense_synthesizer_cover_max_len(max_len):
    module = build_attention("synthesizer:kind=dense", heads=1, head_dim=1, max_len=max_len, dim=1)
    a, b = module.F_A.out_features, module.F_B.out_features
    assert max_len <= a * b < max_len + a and b <= a


def test_only_the_dense_synthesizer_needs_x():
    q, k, v, _ = inputs()
    assert (build("synthesizer")(q, k) @ v).shape == v.shape
    with pytest.raises(UsageError, match="needs the layer's input"):
        build("synthesizer:kind=dense")(q, k)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("synthesizer:rank=0", "rank ≥ 1"),
        ("synthesizer:kind=sparse", "random|dense"),
        ("agf:K=0", "1 ≤ K ≤ 1,000"),
        ("agf:gamma=-1.0", "gamma ≥ 0"),
        ("agf:alpha=-1.0,beta=-2.0", r"order 3 for alpha \+ beta = -3"),
    ],
)
def test_bad_options_are_refused(spec, message):
    with pytest.raises(UsageError, match=message):
        build(spec)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_agf_starts_as_efficient_attention_bit_for_bit(dtype):
    x = torch.randn(3, 17, 16, dtype=dtype)
    outputs = []
    for spec in ("efficient", "agf"):
        torch.manual_seed(3)
        outputs.append(build_layer(spec, dim=16, heads=2, max_len=MAX_LEN).to(dtype)(x, KEEP))
    assert torch.equal(*outputs)


def test_agf_gates_efficient_attention_by_token_and_feature():
    """With K = 1, alpha = beta = 0 and tanh θ = ½ the gate is 1 + s/2."""
    module = build("agf:K=1,alpha=0.0,beta=0.0")
    with torch.no_grad():
        module.theta.fill_(math.atanh(0.5))
    q, k, v, x = inputs()
    s = module.W_Sigma(x).sigmoid().view(3, 17, H, D).transpose(1, 2)
    expected = (q.softmax(-1) * (1 + s / 2)) @ (k.softmax(-2).mT @ v)
    assert_close(module(q, k, None, x) @ v, expected)


weights = st.floats(-0.9, 4, allow_subnormal=False)


@given(weights, weights, st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_the_recurrence_gives_jacobi_polynomials(alpha, beta, K):
    s = torch.linspace(-1, 1, 9, dtype=torch.float64)
    for k, T in enumerate(_orders(s, recurrence(K, alpha, beta)), start=1):
        scale = max(1.0, jacobi_polynomial(k, alpha, beta, s).abs().max().item())
        assert_close(T / scale, jacobi_polynomial(k, alpha, beta, s) / scale)


@pytest.mark.parametrize("beta", [-1.0, -1.5, -2.0])
def test_the_recurrence_holds_for_the_authors_values_of_beta(beta):
    s = torch.linspace(0, 1, 9, dtype=torch.float64)
    for k, T in enumerate(_orders(s, recurrence(5, 2.0, beta)), start=1):
        assert_close(T, jacobi_polynomial(k, 2.0, beta, s))


def test_legendre_and_chebyshev_polynomials_are_special_cases():
    s = torch.linspace(-1, 1, 9, dtype=torch.float64)
    _, second, third = _orders(s, recurrence(3, 0.0, 0.0))
    assert_close(second, (3 * s**2 - 1) / 2)
    assert_close(third, (5 * s**3 - 3 * s) / 2)
    for k, T in enumerate(_orders(s, recurrence(6, -0.5, -0.5)), start=1):
        assert_close(T / T[-1], torch.cos(k * torch.arccos(s)))


def test_gradients_of_the_polynomial():
    s = torch.rand(2, 3, 4, dtype=torch.float64, requires_grad=True)
    theta = torch.randn(5, dtype=torch.float64, requires_grad=True)
    steps = recurrence(5, 2.0, -1.0)
    assert torch.autograd.gradcheck(lambda *given: _Polynomial(*given, steps), (s, theta))


def test_the_orthogonality_term_is_the_mean_over_examples_heads_and_entries():
    module = build("agf:gamma=0.5")
    q, k, _, x = inputs()
    module(q, k, KEEP, x)
    total = 0.0
    for b in range(3):
        real = KEEP[b]
        for h in range(H):
            for factor in (q[b, h, real].softmax(1), k[b, h, real].softmax(0)):
                total += (factor.T @ factor - torch.eye(D)).abs().sum()
    assert_close(module.auxiliary_loss(), 0.5 * total / (3 * H * D * D))


def test_the_orthogonality_term_is_handed_out_once_and_in_training_alone():
    module = build("agf")
    q, k, _, x = (y.requires_grad_() for y in inputs())
    assert module.auxiliary_loss() is None
    module(q, k, KEEP, x)
    assert module.auxiliary_loss().requires_grad and module.auxiliary_loss() is None
    copy.deepcopy(module)  # no graph is left that could not be copied
    module(q, k, KEEP, x)
    module.eval()(q, k, KEEP, x)
    assert module.auxiliary_loss() is None
    without = build("agf:gamma=0.0")
    without(q, k, KEEP, x)
    assert without.auxiliary_loss() is None


def test_the_orthogonality_term_is_finite_with_no_real_token_and_large_inputs():
    module = build("agf").float()
    q, k, _, x = (20 * y.float().requires_grad_() for y in inputs())
    module(q, k, torch.zeros_like(KEEP), x)
    term = module.auxiliary_loss()
    assert_close(term, torch.tensor(0.01 * 2 / D))
    module(q, k, KEEP, x)
    term = module.auxiliary_loss()
    grads = torch.autograd.grad(term, [q, k])
    assert term.isfinite() and all(grad.isfinite().all() for grad in grads)
