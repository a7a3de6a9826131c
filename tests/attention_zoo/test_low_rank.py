"""What Linformer, Nyströmformer, kernelized attention and Skyformer promise beyond the contract."""

import importlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from attention_zoo import FactoredOperator, UsageError, build_attention
from attention_zoo.operators import ConvolutionOperator, LandmarkOperator
from attention_zoo.parts.gaussian import gaussian
from attention_zoo.parts.inverse import iterative_inverse

D = 8
HEADS = 2


def build(spec, max_len=64, heads=HEADS):
    return build_attention(spec, heads=heads, head_dim=D, max_len=max_len).double()


def qkv(B=2, N=40, heads=HEADS):
    return torch.randn(3, B, heads, N, D, dtype=torch.float64).unbind()


def split(x, heads=HEADS):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge(y):
    return y.transpose(1, 2).flatten(2)


# The inverse


def test_the_iteration_converges_to_the_inverse_and_to_the_pseudo_inverse():
    a = (torch.randn(3, 6, 6, dtype=torch.float64) + 4 * torch.eye(6)).softmax(-1)
    assert_close(iterative_inverse(a, 12), torch.linalg.inv(a))
    twice = a[:, :, [0, 1, 2, 3, 4, 4]][:, [0, 1, 2, 3, 4, 4]]
    twice = twice / twice.sum(-1, keepdim=True)
    assert_close(iterative_inverse(twice, 9), torch.linalg.pinv(twice), atol=1e-6, rtol=0)


def test_each_matrix_is_inverted_as_if_it_were_alone():
    a = (torch.randn(2, 3, 6, 6, dtype=torch.float64) * 4).softmax(-1)
    alone = torch.stack([torch.stack([iterative_inverse(m, 3) for m in row]) for row in a])
    assert_close(iterative_inverse(a, 3), alone)


# The two operators


@settings(max_examples=30)
@given(N=st.integers(1, 150), width=st.sampled_from([1, 3, 35]))
def test_the_convolution_is_torchs_depthwise_one_on_real_tokens(N, width):
    torch.manual_seed(N)
    conv = nn.Conv2d(HEADS, HEADS, (width, 1), padding=(width // 2, 0), groups=HEADS, bias=False)
    conv.double()
    v, keep = torch.randn(2, HEADS, N, D, dtype=torch.float64), torch.rand(2, N) < 0.7
    kernel = conv.weight[:, 0, :, 0]
    assert_close(ConvolutionOperator(v, kernel) @ v, conv(v))
    masked = torch.where(keep[:, None, :, None], v, 0.0)
    assert_close(ConvolutionOperator(v, kernel, keep) @ v, conv(masked))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_three_factors_are_the_two_they_make(order):
    left, columns, v = qkv()
    core, columns = torch.randn(2, HEADS, D, D, dtype=torch.float64) / D, columns.mT / D
    coefficients = [torch.randn(HEADS, dtype=torch.float64) for _ in range(order + 1)]
    three = LandmarkOperator(left, core, columns)
    two = FactoredOperator(left, core @ columns)
    assert_close(three.right, two.right)
    assert_close(three @ v, two @ v)
    assert_close(three.polynomial(coefficients, v), two.polynomial(coefficients, v))


# Linformer


def test_linformer_with_identity_projections_is_softmax_attention():
    q, k, _ = qkv(N=16)
    linformer = build("linformer:rank=16", max_len=16)
    with torch.no_grad():
        linformer.E.copy_(torch.eye(16))
    assert_close(linformer(q, k).dense(), build("softmax")(q, k).dense())


KINDS = ("kv", "heads")


def test_linformer_shares_one_matrix_between_keys_and_values_unless_told_otherwise():
    count = {s: [w.shape for w in build(f"linformer:rank=4,share={s}").parameters()] for s in KINDS}
    assert count == {"kv": [(4, 64)], "heads": [(4, 64)] * 2}


def test_linformer_per_head_is_a_linformer_of_each_head():
    q, k, _ = qkv()
    both, one = build("linformer:rank=5,per_head=true"), build("linformer:rank=5", heads=1)
    for h in range(HEADS):
        with torch.no_grad():
            one.E.copy_(both.E[h])
        alone = slice(h, h + 1)
        assert_close(both(q, k).dense()[:, alone], one(q[:, alone], k[:, alone]).dense())


@pytest.mark.parity
@pytest.mark.parametrize("share", KINDS)
@pytest.mark.parametrize("N", [24, 17])
def test_linformer_agrees_with_the_linformer_package(share, N):
    """Its share_kv takes the projected keys for the values too, so both cases of ours are carried
    over without it. It has no mask."""
    package = importlib.import_module("linformer.linformer")
    theirs = package.LinformerSelfAttention(HEADS * D, 24, k=5, heads=HEADS).double()
    ours = build(f"linformer:rank=5,share={share}", max_len=24)
    with torch.no_grad():
        ours.E.copy_(theirs.proj_k.T)
        (theirs.proj_v.copy_(theirs.proj_k) if share == "kv" else ours.F.copy_(theirs.proj_v.T))
    x = torch.randn(2, N, HEADS * D, dtype=torch.float64)
    q, k, v = (split(f(x)) for f in (theirs.to_q, theirs.to_k, theirs.to_v))
    assert_close(theirs.to_out(merge(ours(q, k) @ v)), theirs(x))


# Nyströmformer


def nystrom_of(conv, landmarks, heads, kernel):
    ours = build(f"nystrom:landmarks={landmarks},conv={conv}", heads=heads)
    with torch.no_grad():
        ours.kernel.copy_(kernel[:, 0, :, 0])
    return ours


@pytest.mark.parity
def test_nystrom_agrees_with_the_nystrom_attention_package():
    """For one example and one head, where its maximum over batch and heads is ours; without
    padding, which it counts among the tokens of its segments."""
    package = importlib.import_module("nystrom_attention")
    theirs = package.NystromAttention(
        dim=D, dim_head=D, heads=1, num_landmarks=8, residual_conv_kernel=5
    ).double()
    ours = nystrom_of(5, 8, 1, theirs.res_conv.weight)
    x = torch.randn(1, 40, D, dtype=torch.float64)
    q, k, v = (split(part, 1) for part in theirs.to_qkv(x).chunk(3, dim=-1))
    assert_close(theirs.to_out(merge(ours(q, k) @ v)), theirs(x))


@pytest.mark.parity
@pytest.mark.parametrize("norm", ["of the batch", "of each"])
def test_nystrom_agrees_with_the_one_in_transformers(norm):
    """The maximum over the batch is ours for one example of one head; its other way to start the
    iteration takes each head's own and agrees on any batch. Without padding, as above."""
    transformers = importlib.import_module("transformers")
    from transformers.models.nystromformer.modeling_nystromformer import NystromformerSelfAttention

    B, heads = (1, 1) if norm == "of the batch" else (3, 2)
    theirs = NystromformerSelfAttention(
        transformers.NystromformerConfig(
            hidden_size=heads * D,
            num_attention_heads=heads,
            num_landmarks=8,
            segment_means_seq_len=40,
            conv_kernel_size=7,
            attention_probs_dropout_prob=0.0,
        )
    ).double()
    theirs.init_option = "original" if norm == "of the batch" else "exact"
    ours = nystrom_of(7, 8, heads, theirs.conv.weight)
    x = 3 * torch.randn(B, 40, heads * D, dtype=torch.float64)
    q, k, v = (split(f(x), heads) for f in (theirs.query, theirs.key, theirs.value))
    assert_close(merge(ours(q, k) @ v), theirs(x)[0])


# Kernelized attention and Skyformer


def test_the_gaussian_kernel_on_numbers():
    q = torch.tensor([[0.0, 0.0], [1.0, 2.0]], dtype=torch.float64).view(1, 1, 2, 2)
    k = torch.tensor([[0.0, 0.0], [3.0, 2.0]], dtype=torch.float64).view(1, 1, 2, 2)
    matrix = build_attention("kernelized", heads=1, head_dim=2, max_len=2)(q, k).dense()
    squares = torch.tensor([[0.0, 13.0], [5.0, 4.0]], dtype=torch.float64)
    assert_close(matrix[0, 0], torch.exp(-squares / (2 * 2**0.5)))


def test_the_gaussian_kernel_never_exceeds_one():
    x = 1e4 * torch.randn(1, 1, 50, D) + torch.randn(D)
    assert gaussian(x, x).max() <= 1


def test_skyformer_solves_with_the_ridge_once_the_iteration_has_converged():
    q, k, _ = qkv(N=20)
    skyformer = build("skyformer:features=12,iterations=30")
    places = torch.cat([half[:20] for half in skyformer.turn]).argsort()[:12]
    s = torch.cat([q, k], 2)[:, :, places]

    def phi(x, y):
        return torch.exp(-torch.cdist(x, y).square() / (2 * D**0.5))

    core = phi(s, s) + 0.1 * torch.eye(12, dtype=torch.float64)
    expected = phi(q, s) @ torch.linalg.solve(core, phi(s, k))
    assert_close(skyformer(q, k).dense(), expected)


def test_skyformer_draws_by_the_generator_alone_and_no_row_twice():
    skyformer = build("skyformer:features=20")
    first = skyformer.turn.clone()
    assert torch.equal(first, build("skyformer:features=20").turn)
    skyformer.resample(torch.Generator().manual_seed(1))
    assert not torch.equal(first, skyformer.turn)
    assert torch.equal(skyformer.turn.flatten().sort().values, torch.arange(128).int())


def test_skyformer_samples_queries_and_keys_evenly():
    skyformer = build("skyformer", max_len=50)
    queries = torch.zeros(50)
    for seed in range(400):
        skyformer.resample(torch.Generator().manual_seed(seed))
        places = torch.cat([half[:30] for half in skyformer.turn]).argsort()[:12]
        queries += torch.bincount(places % 30, minlength=50)
    assert (queries[:30] / 400 - 12 / 30).abs().max() < 0.12  # 4 deviations


@pytest.mark.parametrize(
    "spec",
    [
        "linformer:rank=0",
        "nystrom:landmarks=0",
        "nystrom:conv=4",
        "nystrom:iterations=-1",
        "skyformer:features=0",
        "skyformer:ridge=0.0",
        "skyformer:redraw=-1",
    ],
)
def test_impossible_options_are_refused_in_one_line(spec):
    with pytest.raises(UsageError, match=r"^\w+ needs .*, not [^\n]+$"):
        build(spec)
