"""Every attention, with and without a filter, under the kit that others use for theirs."""

import pytest
import torch

import gfsa  # noqa: F401 (registers its filter)
from attention_zoo import build_layer, names
from attention_zoo.registry import ATTENTIONS
from attention_zoo.testing import CHECKS, Case, undeclared, verdict
from attention_zoo.testing.cases import MAX_LEN, C, H

# What a filter changes: the rest is the attention's own.
FILTERED = ("reference", "poison", "amount", "empty", "rows", "dtypes", "autocast", "state_dict")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("check", CHECKS)
def test_attention(check, name):
    if name == "xformers" and check in ("growth", "flops"):
        pytest.skip("the stand-in for its kernel is dense")
    found = verdict(check, name)
    assert found.outcome != "fails", found.detail


@pytest.mark.parametrize("suffix", ["+gfsa", "+gfsa:K=4,mode=power"])
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("check", FILTERED)
def test_filtered(check, name, suffix):
    found = verdict(check, name + suffix)
    assert found.outcome != "fails", found.detail


@pytest.mark.parametrize("name", names())
def test_says_what_it_is(name):
    cls = ATTENTIONS.get(name).cls
    assert "arXiv" in cls.__doc__
    assert cls.support.family != "other"
    undeclared(name)


@pytest.mark.parametrize("suffix", ["+gfsa", "+gfsa:mode=power,K=5", "+gfsa+gfsa:K=2"])
@pytest.mark.parametrize("name", names())
def test_gfsa_starts_as_its_base_bit_for_bit(name, suffix):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        results = []
        for spec in (name, name + suffix):
            torch.manual_seed(3)
            layer = build_layer(spec, dim=C, heads=H, max_len=MAX_LEN).to(dtype).eval()
            case = Case(17, (17, 9, 1), dtype=dtype)
            results.append(layer(case.tensors()[3], case.keep)[case.keep])
        assert torch.equal(*results)
