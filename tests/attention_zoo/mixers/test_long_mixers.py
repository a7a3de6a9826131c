"""S4D, S5, Mega and Hyena against their recurrences and sums, causality, and that they learn."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attention_zoo.errors import UsageError
from attention_zoo.mixers.hyena import Hyena
from attention_zoo.mixers.mega import Mega
from attention_zoo.mixers.s4d import S4D
from attention_zoo.mixers.s5 import S5

C, MAX_LEN = 6, 90
CAUSAL = [
    (S4D, {"init": "lin", "bidirectional": False, "state": 8}),
    (S5, {"bidirectional": False, "discretisation": "bilinear", "state": 8, "blocks": 1}),
    (Mega, {"bidirectional": False, "z": 5}),
    (Mega, {"bidirectional": False, "function": "laplace", "chunk": 16, "z": 5, "ema": 3}),
    (Hyena, {"width": 8}),
    (Hyena, {"width": 8, "order": 1, "bands": 1}),
]
BOTH_WAYS = [
    (S4D, {"state": 8}),
    (S4D, {"state": 6, "init": "inv"}),
    (S4D, {"state": 4, "init": "real"}),
    (S5, {"state": 16, "blocks": 2, "spread": "complex"}),
    (S5, {"state": 16, "blocks": 4, "gate": "linear", "spread": "lecun", "clip": True}),
    (Mega, {"z": 5, "ema": 3}),
    (Mega, {"function": "laplace", "z": 5, "ema": 1, "expand": 1}),
    (Mega, {"function": "softmax", "chunk": 16, "z": 5}),
    (Hyena, {"width": 8, "order": 3, "shift": 0.1}),
]


def named(case):
    return ",".join([case[0].__name__, *(f"{key}={value}" for key, value in case[1].items())])


def made(case, max_len=MAX_LEN):
    """The mixer with its parameters moved from where they start."""
    torch.manual_seed(1)
    mixer = case[0](dim=C, max_len=max_len, **case[1]).double()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return mixer


def masked(N):
    """Padding at the end, in between, and nothing else."""
    keep = torch.arange(N) < torch.tensor([N, max(1, N // 2), N])[:, None]
    keep[2, 1::3] = False
    return keep


@pytest.mark.parametrize("N", [1, 9, 40, 67])
@pytest.mark.parametrize("case", CAUSAL + BOTH_WAYS, ids=named)
def test_values_and_gradients_are_those_of_the_reference(case, N):
    mixer = made(case)
    for keep in (None, masked(N)):
        real = torch.ones(3, N, dtype=torch.bool) if keep is None else keep
        x = torch.where(real[..., None], torch.randn(3, N, C, dtype=torch.float64), 0.0)
        x.requires_grad_()
        wanted = [x, *mixer.parameters()]
        results = [mixer.mix(x, keep)[real], mixer.reference(x, keep)[real]]
        torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)
        upstream = torch.randn_like(results[0])
        ours, theirs = (
            torch.autograd.grad(y, wanted, upstream, materialize_grads=True, allow_unused=True)
            for y in results
        )
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("case", CAUSAL, ids=named)
def test_no_row_sees_a_later_token(case):
    mixer, x = made(case), torch.randn(1, 50, C, dtype=torch.float64)
    later = x.clone()
    later[:, 30:] = torch.randn(1, 20, C)
    torch.testing.assert_close(mixer(x)[:, :30], mixer(later)[:, :30])
    assert not torch.allclose(mixer(x)[:, 30:], mixer(later)[:, 30:])


@pytest.mark.parametrize("case", [c for c in BOTH_WAYS if c[0] is not Hyena], ids=named)
def test_the_first_row_sees_a_later_token(case):
    mixer, x = made(case), torch.randn(1, 12, C, dtype=torch.float64)
    later = x.clone()
    later[:, -1] += 1
    assert (mixer(x)[:, 0] - mixer(later)[:, 0]).abs().max() > 1e-6


@pytest.mark.parametrize("more", [1, 40])
@pytest.mark.parametrize("case", CAUSAL + BOTH_WAYS, ids=named)
def test_padding_changes_no_real_row(case, more):
    mixer, x = made(case), torch.randn(2, 33, C, dtype=torch.float64)
    keep = F.pad(torch.ones(2, 33, dtype=torch.bool), (0, more))
    padded = mixer(F.pad(x, (0, 0, 0, more), value=float("nan")), keep)
    torch.testing.assert_close(padded[:, :33], mixer(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", CAUSAL + BOTH_WAYS, ids=named)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits(case, dtype):
    exact, x = made(case), torch.randn(2, 40, C, dtype=torch.float64)
    rough = made(case).to(dtype)
    exact.load_state_dict(rough.state_dict())
    y, expected = rough(x.to(dtype)), exact(x.to(dtype).double())
    assert y.dtype == dtype
    error = (y.double() - expected).norm() / expected.norm()
    assert error < (0.03 if dtype == torch.bfloat16 else 0.005)


def ordered(count, N, generator):
    """Zeros with one 1 and one 2; the label is whether the 1 comes first, which no count shows."""
    places = torch.stack([torch.randperm(N, generator=generator)[:2] for _ in range(count)])
    tokens = torch.zeros(count, N, dtype=torch.long).scatter(
        1, places, torch.tensor([[1, 2]] * count)
    )
    return tokens, (places[:, 0] < places[:, 1]).long()


@pytest.mark.parametrize(
    "case", [(S4D, {}), (S5, {"dt_min": 0.01}), (Mega, {}), (Hyena, {})], ids=named
)
def test_it_learns_which_of_two_tokens_comes_first(case):
    torch.manual_seed(0)
    N, dim, draws = 12, 16, torch.Generator().manual_seed(0)
    embed, head = nn.Embedding(3, dim), nn.Linear(dim, 2)
    mixer = case[0](dim=dim, max_len=N, **case[1])
    optimiser = torch.optim.Adam(nn.ModuleList([embed, mixer, head]).parameters(), lr=0.01)

    def logits(tokens):
        x = embed(tokens)
        return head((x + mixer(F.layer_norm(x, (dim,)))).mean(1))

    for _ in range(150):
        tokens, labels = ordered(64, N, draws)
        optimiser.zero_grad()
        F.cross_entropy(logits(tokens), labels).backward()
        optimiser.step()
    tokens, labels = ordered(500, N, draws)
    with torch.no_grad():
        accuracy = (logits(tokens).argmax(-1) == labels).double().mean().item()
    assert accuracy > 0.9


@pytest.mark.parametrize(
    "case",
    [
        (S4D, {"state": 3}),
        (S4D, {"dt_min": 0.0}),
        (S5, {"state": 8, "blocks": 3}),
        (Mega, {"chunk": -1}),
        (Mega, {"z": 0}),
        (Hyena, {"order": 0}),
    ],
    ids=named,
)
def test_options_out_of_range_are_refused(case):
    with pytest.raises(UsageError):
        case[0](dim=C, max_len=8, **case[1])
