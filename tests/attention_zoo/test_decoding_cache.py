"""What can be done to a cache between two steps."""

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import DecodingCache, UnsupportedError, build_attention

qkv = tuple(torch.randn(3, 2, 2, 9, 4, dtype=torch.float64))


def attend(attention, cache, start, stop, which=slice(None)):
    q, k, v = (x[which, :, start:stop] for x in qkv)
    return attention(q, k, cache=cache) @ v


def build(spec):
    attention = build_attention(spec, heads=2, head_dim=4, max_len=16, causal=True)
    return attention.double()


def test_the_last_tokens_are_forgotten_and_examples_repeated():
    attention, cache = build("sdpa+gfsa:K=3,mode=power,wK=0.5"), DecodingCache()
    full = attend(attention, None, 0, 9)
    attend(attention, cache, 0, 7)
    assert cache.croppable
    cache.crop(3)
    cache.repeat(2)
    which = torch.tensor([0, 0, 1, 1])
    assert_close(attend(attention, cache, 4, 9, which), full[which, :, 4:])


def test_padding_is_forgotten_with_its_tokens():
    attention, cache = build("sdpa+gfsa:wK=0.5"), DecodingCache()
    keep = torch.arange(6).expand(2, 6) != 5  # a pad that is taken back
    q, k, v = (x[:, :, :6] for x in qkv)
    _ = attention(q, k, keep, cache=cache) @ v
    cache.crop(1)
    assert_close(attend(attention, cache, 5, 9), attend(attention, None, 0, 9)[:, :, 5:])


def test_sums_over_tokens_cannot_be_taken_back():
    for spec in ("linear", "sdpa+mean"):
        cache = DecodingCache()
        attend(build(spec), cache, 0, 5)
        assert not cache.croppable
        with pytest.raises(UnsupportedError, match="sums over tokens"):
            cache.crop(1)
