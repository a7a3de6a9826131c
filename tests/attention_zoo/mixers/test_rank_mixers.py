"""FNet, LSTM and others against their definitions, padding with holes, and that they learn."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.mixers.fnet import FNet
from attention_zoo.mixers.lstm import LSTM
from attention_zoo.mixers.mamba import Mamba
from attention_zoo.mixers.mlp_mixer import MLPMixer
from attention_zoo.parts.selective_scan import scan_by_pairs, selective_scan

C, MAX_LEN = 6, 90
CAUSAL = [
    (LSTM, {"bidirectional": False, "width": 5}),
    (Mamba, {}),
    (Mamba, {"state": 3, "taps": 1, "expand": 1, "rank": 2}),
]
BY_RANK = [
    (FNet, {}),
    (FNet, {"norm": "ortho"}),
    (LSTM, {}),
    *CAUSAL,
]
CASES = [*BY_RANK, (MLPMixer, {}), (MLPMixer, {"width": 5})]


def named(case):
    return ",".join([case[0].__name__, *(f"{key}={value}" for key, value in case[1].items())])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


def made(case, max_len=MAX_LEN):
    """The mixer with its parameters moved from where they start."""
    mixer = case[0](dim=C, max_len=max_len, **case[1]).double()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return mixer


def masked(N):
    """Padding at the end, at the start and in between, and an example of pads alone."""
    keep = torch.arange(N) < torch.tensor([N, max(1, N // 2), N, 0])[:, None]
    keep[2, ::3] = False
    return keep


@pytest.mark.parametrize("N", [1, 9, 40, 67])
@pytest.mark.parametrize("case", CASES, ids=named)
def test_values_and_gradients_are_those_of_the_reference(case, N):
    mixer = made(case)
    for keep in (None, masked(N)):
        real = torch.ones(4, N, dtype=torch.bool) if keep is None else keep
        x = torch.where(real[..., None], torch.randn(4, N, C, dtype=torch.float64), 0.0)
        x.requires_grad_()
        wanted = [x, *mixer.parameters()]
        results = [mixer.mix(x, keep)[real], mixer.reference(x, keep)[real]]
        torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)
        upstream = torch.randn_like(results[0])
        ours, theirs = (
            torch.autograd.grad(y, wanted, upstream, materialize_grads=True, allow_unused=True)
            for y in results
        )
        torch.testing.assert_close(ours[0][real], theirs[0][real], rtol=1e-7, atol=1e-7)
        for a, b in zip(ours[1:], theirs[1:], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_what_pads_hold_reaches_nothing(case):
    mixer, keep = made(case), masked(20)
    x = torch.randn(4, 20, C, dtype=torch.float64)
    results = []
    for held in (0.0, float("nan"), float("inf")):
        given = torch.where(keep[..., None], x, held).requires_grad_()
        y = mixer(given, keep)
        grads = torch.autograd.grad(y.square().sum(), [given, *mixer.parameters()])
        assert not y[~keep].any() and not grads[0][~keep].any()
        results.append([y, *grads])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("more", [1, 40])
@pytest.mark.parametrize("case", CASES, ids=named)
def test_padding_changes_no_real_row(case, more):
    mixer, x = made(case), torch.randn(2, 33, C, dtype=torch.float64)
    keep = F.pad(torch.ones(2, 33, dtype=torch.bool), (0, more))
    padded = mixer(F.pad(x, (0, 0, 0, more), value=float("nan")), keep)
    torch.testing.assert_close(padded[:, :33], mixer(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", BY_RANK, ids=named)
def test_holes_change_no_real_row(case):
    mixer, keep = made(case), torch.zeros(1, 30, dtype=torch.bool)
    keep[0, [2, 3, 7, 11, 12, 29]] = True
    x = torch.randn(1, 30, C, dtype=torch.float64)
    torch.testing.assert_close(mixer(x, keep)[keep], mixer(x[keep][None])[0])


@pytest.mark.parametrize("case", CAUSAL, ids=named)
def test_no_row_sees_a_later_token(case):
    mixer, x = made(case), torch.randn(1, 50, C, dtype=torch.float64)
    later = torch.cat((x[:, :30], torch.randn(1, 20, C)), 1)
    torch.testing.assert_close(mixer(x)[:, :30], mixer(later)[:, :30])
    assert not torch.allclose(mixer(x)[:, 30:], mixer(later)[:, 30:])


@pytest.mark.parametrize("case", CASES, ids=named)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_fewer_bits(case, dtype):
    exact, x = made(case), torch.randn(4, 40, C, dtype=torch.float64)
    rough, keep = made(case).to(dtype), masked(40)
    exact.load_state_dict(rough.state_dict())
    for mask in (None, keep):
        y, expected = rough(x.to(dtype), mask), exact(x.to(dtype).double(), mask)
        assert y.dtype == dtype
        error = (y.double() - expected).norm() / expected.norm()
        assert error < {torch.bfloat16: 0.03, torch.float16: 0.005, torch.float32: 1e-5}[dtype]


@pytest.mark.parametrize(
    "case", [(cls, {}) for cls in dict.fromkeys(c[0] for c in CASES)], ids=named
)
def test_it_overfits_a_tiny_batch(case):
    N, dim = 12, 16
    tokens, labels = torch.randint(0, 8, (16, N)), torch.randint(0, 2, (16,))
    embed, head = nn.Embedding(8, dim), nn.Linear(dim, 2)
    mixer = case[0](dim=dim, max_len=N, **case[1])
    optimiser = torch.optim.Adam(nn.ModuleList([embed, mixer, head]).parameters(), lr=0.01)
    keep = torch.arange(N) < torch.randint(6, N + 1, (16, 1))
    last = keep.sum(1) - 1  # which a causal mixer, too, shows all tokens
    for _ in range(200):
        x = embed(tokens)
        y = F.layer_norm(x + mixer(F.layer_norm(x, (dim,)), keep), (dim,))
        loss = F.cross_entropy(head(y[torch.arange(16), last]), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


def test_fourier_transform_of_worked_numbers():
    # Tokens (1, 2, 3), one channel: 6, then 1 + 2ω + 3ω² = −1.5 ± 0.866i.
    x = torch.tensor([[[1.0], [9.0], [2.0], [3.0]]], dtype=torch.float64)
    keep = torch.tensor([[True, False, True, True]])
    y = FNet(dim=1, max_len=4)(x, keep).flatten()
    assert y.tolist() == pytest.approx([6.0, 0.0, -1.5, -1.5])


def test_lstm_of_one_channel():
    # All weights 0, biases b: i = f = o = σ(0) = ½, g = tanh(1): c = ½g, then ¾g.
    mixer = LSTM(dim=1, max_len=2, bidirectional=False).double()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.zero_()
        mixer.lstm.bias_ih_l0[2] = 1
        mixer.out.weight.fill_(1)
    g = torch.tensor(1.0, dtype=torch.float64).tanh()
    expected = [(0.5 * (g * c).tanh()).item() for c in (0.5, 0.75)]
    assert mixer(torch.ones(1, 2, 1).double()).flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    "case", [(LSTM, {"width": -1}), (Mamba, {"taps": 0}), (MLPMixer, {"width": -1})], ids=named
)
def test_options_out_of_range_are_refused(case):
    with pytest.raises(UsageError):
        case[0](dim=C, max_len=8, **case[1])


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 129])
def test_scan_by_pairs_is_the_loop(n):
    factors, inputs = torch.rand(2, n, 3, dtype=torch.float64), torch.randn(2, n, 3).double()
    state, expected = torch.zeros(2, 3), []
    for i in range(n):
        state = factors[:, i] * state + inputs[:, i]
        expected.append(state)
    torch.testing.assert_close(scan_by_pairs(factors, inputs), torch.stack(expected, 1))


@pytest.mark.parametrize("N", [1, 127, 128, 129, 300])
def test_selective_scan_is_the_loop_across_chunks(N):
    u, delta = torch.randn(2, N, 3).double(), torch.rand(2, N, 3).double()
    A, B, C = -torch.rand(3, 4).double(), torch.randn(2, N, 4).double(), torch.randn(2, N, 4)
    given = [tensor.double().requires_grad_() for tensor in (u, delta, A, B, C)]
    u, delta, A, B, C = given
    h, rows = torch.zeros(2, 3, 4), []
    for i in range(N):
        step = delta[:, i, :, None]
        h = (step * A).exp() * h + step * u[:, i, :, None] * B[:, i, None]
        rows.append((h * C[:, i, None]).sum(-1))
    results = [selective_scan(*given), torch.stack(rows, 1)]
    torch.testing.assert_close(*results)
    with torch.no_grad():
        torch.testing.assert_close(selective_scan(*given), results[1])
    upstream = torch.randn_like(results[0])
    ours, theirs = (
        torch.autograd.grad(y, given, upstream, materialize_grads=True, allow_unused=True)
        for y in results
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_selective_scan_of_large_steps_stays_finite():
    u = torch.ones(1, 200, 1, requires_grad=True)
    y = selective_scan(u, 1000 * u, -u[0, :1], u, u)
    (gradient,) = torch.autograd.grad(y.sum(), u)
    assert y.isfinite().all() and gradient.isfinite().all()


def test_where_mamba_starts():
    torch.manual_seed(0)
    mixer = Mamba(dim=2000, max_len=4, state=3)
    assert mixer.A_log[7].exp().tolist() == pytest.approx([1.0, 2.0, 3.0])
    assert mixer.rank == 125 and mixer.step.weight.abs().max() <= 125**-0.5
    dt = F.softplus(mixer.step.bias)
    assert dt.min() > 0.00099 and dt.max() < 0.101
    assert (dt < 0.01).double().mean().item() == pytest.approx(0.5, abs=0.05)


def test_the_package_of_mamba_is_refused_where_it_cannot_run(monkeypatch):
    monkeypatch.setattr("attention_zoo.mixers.mamba.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match="not installed"):
        Mamba(dim=4, max_len=4, kernel="mamba-ssm")
    monkeypatch.setattr("attention_zoo.mixers.mamba.find_spec", lambda name: True)
    with pytest.raises(UnsupportedError, match="needs a GPU"):
        Mamba(dim=4, max_len=4, kernel="mamba-ssm")(torch.ones(1, 2, 4))


def test_token_mixing_of_worked_numbers():
    # W₁ = (1, 10, 100), W₂ = (1, 2, 3)ᵀ, b₂ = (0, 0.5, 0): tokens 1, pad, 2 give gelu(201) = 201.
    mixer = MLPMixer(dim=1, max_len=3, width=1).double()
    with torch.no_grad():
        mixer.first.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
        mixer.first.bias.zero_()
        mixer.second.weight.copy_(torch.tensor([[1.0], [2.0], [3.0]]))
        mixer.second.bias.copy_(torch.tensor([0.0, 0.5, 0.0]))
    x = torch.tensor([[[1.0], [9.0], [2.0]]], dtype=torch.float64)
    keep = torch.tensor([[True, False, True]])
    assert mixer(x, keep).flatten().tolist() == pytest.approx([201.0, 0.0, 603.0])
    assert mixer(x[:, :2]).flatten().tolist() == pytest.approx([91.0, 182.5])


@pytest.mark.parametrize("case", [c for c in CASES if c[0] is not LSTM], ids=named)
def test_gradients_by_example(case):
    mixer, keep = made(case), masked(9)[:3]
    x = torch.randn(3, 9, C, dtype=torch.float64).requires_grad_()
    (expected,) = torch.autograd.grad(mixer(x, keep).square().sum(), x)
    by_example = torch.func.grad(lambda x, keep: mixer(x[None], keep[None]).square().sum())
    found = torch.func.vmap(by_example)(x.detach(), keep)
    torch.testing.assert_close(found, expected)
