"""The attentions of `benchmarks/peers` compute what they say: ours, where nothing is padded."""

import pytest
import torch

from attention_zoo import build_attention
from benchmarks.peers.attentions import Linear, Linformer, Nystrom, Performer, Sdpa, Softmax

B, H, N, D, R = 2, 2, 24, 8, 4
OPTIONS = {
    "softmax": "softmax",
    "linear": "linear",
    "linformer": f"linformer:rank={R},per_head=true",
    "nystrom": f"nystrom:landmarks={R},conv=3",
    "performer": f"performer:features={R},logit_scale=1/D",
}


def build(name):
    """A peer's attention and, with the same weights, ours."""
    attention = build_attention(OPTIONS[name], heads=H, head_dim=D, max_len=N).double()
    if name == "softmax":
        return Softmax(), attention
    if name == "linear":
        return Linear(), attention
    if name == "linformer":
        peer = Linformer(H, N, R).double()
        peer.E.data.copy_(attention.E)
    elif name == "nystrom":
        peer = Nystrom(H, R, width=3).double()
        peer.conv.weight.data.copy_(attention.kernel[:, None, :, None])
    else:
        peer = Performer(D, R, epsilon=0.0).double()
        peer.omega.copy_(attention.omega)
    return peer, attention


def qkv(B=B):
    return torch.randn(3, B, H, N, D, dtype=torch.double)


@pytest.mark.parametrize("name", OPTIONS)
def test_without_padding_it_is_our_attention(name):
    """But for linear's normaliser, and Nyström's start, which the whole batch scales."""
    peer, attention = build(name)
    q, k, v = qkv(B=1)
    if name == "nystrom":  # the largest column sum is the same in both heads
        q, k = (x[:, :1].expand(-1, H, -1, -1) for x in (q, k))
    real = torch.ones(1, N, dtype=torch.double)
    result = peer(q, k, v, real)
    if name == "linear":
        result = result / peer(q, k, torch.ones_like(v), real)
    torch.testing.assert_close(result, attention(q, k) @ v)


def test_linear_has_no_normaliser():
    q, k, v = qkv()
    phi_q, phi_k = (torch.where(x > 0, x + 1, x.exp()) for x in (q, k))
    plain = torch.einsum("bhid,bhjd,bhje->bhie", phi_q, phi_k, v) / N**0.5
    real = torch.ones(B, N, dtype=torch.double)
    torch.testing.assert_close(Linear()(q, k, v, real), plain)


@pytest.mark.parametrize("name", [*OPTIONS, "sdpa"])
def test_what_stands_at_pads_does_not_show(name):
    peer = Sdpa() if name == "sdpa" else build(name)[0]
    real = (torch.arange(N) < torch.tensor([[N], [N - 9]])).double()
    q, k, v = qkv()
    changed = torch.where(real[:, None, :, None] > 0, torch.stack([q, k, v]), 7.0)
    with torch.no_grad():
        result, other = (peer(*x, real) for x in ((q, k, v), changed))
    shown = real[:, None, :, None].expand_as(result) > 0
    torch.testing.assert_close(result[shown], other[shown])
    if name in ("softmax", "sdpa"):
        ours = build_attention("softmax", heads=H, head_dim=D, max_len=N).double()
        torch.testing.assert_close(result[shown], (ours(q, k, real > 0) @ v)[shown])
