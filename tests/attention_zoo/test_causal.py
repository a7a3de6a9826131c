"""What the contract does not ask of causal forms: refusals, memory, large logits."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from attention_zoo import (
    DecodingCache,
    UnsupportedError,
    UsageError,
    build_attention,
    build_layer,
    names,
)
from attention_zoo.packing import Packing
from attention_zoo.registry import ATTENTIONS

SIZES = {"heads": 2, "head_dim": 8, "max_len": 64}
LAYER = {"dim": 16, "heads": 2, "max_len": 64}
CAUSAL = ("focused", "hedgehog", "identity", "linear", "mean", "performer", "relu", "rfa", "sdpa")
CAUSAL += ("softmax", "xformers")


def test_these_have_a_causal_form():
    able = [name for name in names() if ATTENTIONS.get(name).cls.support.causal != "never"]
    assert able == sorted(CAUSAL)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("nystrom", "Nystrom has no causal form: its rows look both ways"),
        ("efficient+gfsa", "has no causal form"),
        ("focused:conv=3", "T looks at later tokens"),
    ],
)
def test_others_refuse_it(spec, reason):
    for build, sizes in ((build_attention, SIZES), (build_layer, LAYER)):
        with pytest.raises(UnsupportedError, match=reason):
            build(spec, **sizes, causal=True)


def test_a_remedy_that_mixes_all_tokens_refuses_it():
    with pytest.raises(UnsupportedError, match="ContraNorm has no causal form"):
        build_layer("linear+contranorm", **LAYER, causal=True)


def test_what_cannot_decode_says_so():
    q = torch.randn(1, 2, 1, 8)
    with pytest.raises(UsageError, match="causal=True"):
        build_attention("linear", **SIZES)(q, q, cache=DecodingCache())
    with pytest.raises(UnsupportedError, match="does not support decoding"):
        build_attention("xformers", **SIZES, causal=True)(q, q, cache=DecodingCache())
    with pytest.raises(UnsupportedError, match="FeatScale does not support decoding"):
        layer = build_layer("linear+featscale", **LAYER, causal=True)
        layer(torch.randn(1, 1, 16), cache=DecodingCache())
    attention = build_attention("linear+gfsa", **SIZES, causal=True)
    with pytest.raises(UsageError, match="pad it"):
        packing = Packing(torch.ones(1, 1, dtype=torch.bool))
        attention(q, q, packing, cache=DecodingCache())
    with pytest.raises(UsageError, match="some rows of Ā alone"):
        attention(q, q, cache=DecodingCache()).dense()
    cache = DecodingCache()
    for _ in range(64):
        attention(q, q, cache=cache)
    with pytest.raises(UsageError, match="65 tokens are more than max_len=64"):
        attention(q, q, cache=cache)


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor that is made has."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        made = result if isinstance(result, tuple | list) else (result,)
        sizes = [part.numel() for part in made if isinstance(part, torch.Tensor)]
        self.numel = max([self.numel, *sizes])
        return result


@pytest.mark.parametrize("spec", ["sdpa+gfsa", "linear+gfsa", "performer:features=16+mean"])
def test_none_makes_a_tensor_of_all_pairs_with_padding(spec):
    N = 2048
    attention = build_attention(spec, heads=1, head_dim=8, max_len=N, causal=True)
    q, k, v = torch.randn(3, 2, 1, N, 8)
    q.requires_grad_()
    keep = torch.arange(N) < torch.tensor([[N], [N // 2]])
    with Largest() as largest:
        (attention(q, k, keep) @ v).sum().backward()
    assert largest.numel <= 2 * N * 64


@pytest.mark.parametrize("name", ["performer", "hedgehog"])
def test_rows_sum_to_one_where_features_span_many_orders_of_magnitude(name):
    attention = build_attention(name, heads=2, head_dim=8, max_len=300, causal=True)
    q, k = 4 * torch.randn(2, 1, 2, 300, 8)
    k = torch.cat([10 * k[:, :, :150], k[:, :, 150:]], 2)  # keys of tiny features come first
    rows = attention(q, k) @ torch.ones_like(q)
    torch.testing.assert_close(rows, torch.ones_like(q), atol=1e-4, rtol=0)
