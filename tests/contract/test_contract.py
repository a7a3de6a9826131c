"""Every attention, with and without a filter, under the kit that others use for theirs."""

import itertools

import pytest
import torch

from attention_zoo import build_layer, filters, names
from attention_zoo.registry import ATTENTIONS
from attention_zoo.testing import CHECKS, Case, undeclared, verdict
from attention_zoo.testing.cases import MAX_LEN, C, H

# Without a filter an attention is checked with each of its variants. With one, a variant is enough,
# of small blocks where there are some: the polynomial that a filter adds is held to all of them.
ONE = {name: ":".join((name, *ATTENTIONS.get(name).cls.check_also[:1])) for name in names()}
# What a filter changes: the rest is the attention's own.
FILTERED = ("reference", "rows", "dtypes", "autocast", "state_dict")
POWERS = ("reference", "poison", "empty", "rows")
# One attention of each way to evaluate a polynomial: without a filter the kit asks all attentions
# for derivatives of one, and another mode has other coefficients, no more.
ADDED = ("layers", "packed", "poison", "empty", "no_tokens", "causal")
FORMS = ("poly:basis=chebyshev,K=8", "poly:basis=jacobi,K=8,a=0.5,b=-0.3")
FORMS += ("mean:share=heads", "random:mode=power,K=4", "gfsa:share=heads", "contranorm:form=tokens")
WAYS = ("informer", "linear", "mean", "nystrom", "sdpa", "softmax")
TRANSFORMS = ("amount", "derivative", "second_derivatives", "jvps", "vmaps")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("check", CHECKS)
def test_attention(check, name):
    if name == "xformers" and check in ("growth", "flops"):
        pytest.skip("the stand-in for its kernel is dense")
    found = verdict(check, name)
    assert found.outcome != "fails", found.detail


@pytest.mark.parametrize(
    ("check", "name"),
    [*itertools.product(FILTERED, names()), *itertools.product(TRANSFORMS, WAYS)],
)
def test_filtered(check, name):
    found = verdict(check, f"{ONE[name]}+gfsa")
    assert found.outcome != "fails", found.detail


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("check", POWERS)
def test_filtered_by_another_mode(check, name):
    found = verdict(check, f"{ONE[name]}+gfsa:K=4,mode=power")
    assert found.outcome != "fails", found.detail


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("added", filters())
def test_every_filter_and_remedy_on_every_attention(added, name):
    for check in ADDED:
        found = verdict(check, f"{ONE[name]}+{added}")
        assert found.outcome != "fails", found.detail


@pytest.mark.parametrize("spec", [*filters(), *FORMS])
def test_every_filter_and_remedy_holds_the_whole_kit(spec):
    for check in set(CHECKS) - {"growth", "export"}:
        found = verdict(check, f"linear+{spec}")
        assert found.outcome != "fails", found.detail


def test_remedies_are_exported():
    found = verdict("export", "linear+mean+neutreno+contranorm+vit-")
    assert found.outcome == "holds", found.detail


@pytest.mark.parametrize("name", ["linear+attnscale", "local", "linear+poly:basis=chebyshev+vit-"])
def test_torch_compile_makes_one_graph(name):
    layer = build_layer(name, dim=C, heads=H, max_len=MAX_LEN)
    case = Case(17, (17, 9, 1), dtype=torch.float32)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = case.tensors()[3]
    compiled(x, case.keep).square().sum().backward()
    expected, x.grad = x.grad, None
    layer(x, case.keep).square().sum().backward()
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("name", names())
def test_says_what_it_is(name):
    cls = ATTENTIONS.get(name).cls
    assert "arXiv" in cls.__doc__
    assert cls.support.family != "other"
    undeclared(name)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [(name, "+gfsa") for name in names()]
    + [*itertools.product(WAYS, ("+gfsa:mode=power,K=5", "+gfsa+gfsa:K=2"))],
)
def test_gfsa_starts_as_its_base_bit_for_bit(name, suffix):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        results = []
        for spec in (name, name + suffix):
            torch.manual_seed(3)
            layer = build_layer(spec, dim=C, heads=H, max_len=MAX_LEN).to(dtype).eval()
            case = Case(17, (17, 9, 1), dtype=dtype)
            results.append(layer(case.tensors()[3], case.keep)[case.keep])
        assert torch.equal(*results)
