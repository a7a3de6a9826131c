"""Dropout of the entries of Ā: in training alone, one mask for all its powers."""

import pytest
import torch

from attention_zoo import (
    FactoredOperator,
    UnsupportedError,
    UsageError,
    build_attention,
    build_layer,
    formula_flops,
    names,
)
from attention_zoo.costs import count_flops
from attention_zoo.registry import ATTENTIONS
from attention_zoo.testing.cases import Case, operator_of

H, D, N, P = 2, 8, 40, 0.3
SIZES = {"heads": H, "head_dim": D, "max_len": N}
TAKES = {name: ATTENTIONS.get(name).cls.support.dropout for name in names()}
HERE = [name for name in names() if name != "xformers"]
FIXED = [name for name in HERE if TAKES[name] == "fixed"]
# Of several blocks at this N, global and random ones among them.
SPECS = {"bigbird": "bigbird:block=4,random=1", "local": "local:block=8", "sparse": "sparse"}
SPECS |= {"longformer": "longformer:window=6,globals=2"}


def given(lengths=(N, 23)):
    case = Case(N, lengths)
    torch.manual_seed(0)
    q, k, v = torch.randn(3, len(lengths), H, N, D, dtype=torch.float64)
    return q, k, v, case.keep


def built(name, dropout, suffix=""):
    return build_attention(SPECS.get(name, name) + suffix, dropout=dropout, **SIZES).double()


def test_the_sources_of_protocols_can_be_repeated():
    sources = {"softmax", "kernelized", "local", "longformer", "bigbird", "sparse"}
    assert sources | {"synthesizer", "yoso-e"} == set(FIXED)
    assert TAKES["sdpa"] == TAKES["xformers"] == "redrawn"


@pytest.mark.parametrize("name", HERE)
def test_what_does_not_support_it_refuses(name):
    if TAKES[name] == "none":
        with pytest.raises(UnsupportedError, match=f"{name} does not support attention dropout"):
            built(name, P)
        with pytest.raises(UsageError, match="does not support attention dropout"):
            build_layer(name, dim=H * D, heads=H, max_len=N, attention_dropout=P)
    else:
        assert built(name, P).attention_dropout == P
    with pytest.raises(UsageError, match=r"must be in \[0, 1\), not 1.0"):
        built(name, 1.0)


def test_operators_without_entries_say_so():
    q = torch.randn(1, H, N, D)
    with pytest.raises(UnsupportedError, match="FactoredOperator holds no entries"):
        FactoredOperator(q, q.mT).dropout(P)


@pytest.mark.parametrize("name", FIXED)
def test_entries_are_dropped_or_scaled_and_the_mask_stays(name):
    q, k, v, keep = given()
    module = built(name, P)
    whole = operator_of(module.eval(), q, k, keep, None).dense()
    torch.manual_seed(1)
    operator = operator_of(module.train(), q, k, keep, None)
    dense = operator.dense()
    real = keep[:, None, :, None] & (whole != 0)
    share = (dense / whole)[real]
    kept = share != 0
    torch.testing.assert_close(share[kept], torch.full_like(share[kept], 1 / (1 - P)))
    assert 1 - kept.double().mean() == pytest.approx(P, abs=4 * (0.21 / len(share)) ** 0.5)
    assert (dense[keep[:, None, :, None] & (whole == 0)] == 0).all()
    rows = keep[:, None, :, None]
    again = torch.where(rows, operator.polynomial([0.5, 0.0, 2.0, 1.0], v), 0)
    v = torch.where(rows, v, 0)
    A = torch.where(rows, dense, 0)
    expected = torch.where(rows, 0.5 * v + 2 * A @ (A @ v) + A @ (A @ (A @ v)), 0)
    torch.testing.assert_close(again, expected)
    torch.manual_seed(1)
    torch.testing.assert_close(operator_of(module, q, k, keep, None).dense(), dense)
    assert not torch.equal(operator_of(module, q, k, keep, None).dense(), dense)


@pytest.mark.parametrize("name", [name for name in HERE if TAKES[name] != "none"])
def test_evaluation_has_none_and_training_is_right_on_average(name):
    q, k, v = (x[:1, :, :16].expand(400, -1, -1, -1) for x in given()[:3])
    plain, module = built(name, 0.0), built(name, P)
    expected = operator_of(plain.train(), q, k, None, None) @ v
    assert torch.equal(operator_of(module.eval(), q, k, None, None) @ v, expected)
    draws = operator_of(module.train(), q, k, None, None) @ v
    error = (draws.mean(0) - expected[0]) / (draws.std(0) / len(draws) ** 0.5).clamp(min=1e-9)
    assert draws.std(0).max() > 0.01 and error.abs().mean() < 1.2


@pytest.mark.parametrize("name", FIXED)
def test_gradients_flow_through_the_mask(name):
    surrogate = ATTENTIONS.get(name).cls.support.surrogate_gradient
    q, k, v = (x[:1, :, :12] for x in given()[:3])
    for x in (v,) if surrogate else (q, k, v):
        x.requires_grad_()
    module = built(name, P).train()

    def apply(q, k, v):
        torch.manual_seed(2)
        return operator_of(module, q, k, None, None).polynomial([1.0, 0.5, 0.25], v)

    assert torch.autograd.gradcheck(apply, (q, k, v), fast_mode=True)


def test_a_kernel_that_draws_anew_refuses_filters_in_one_line():
    with pytest.raises(UnsupportedError, match="sdpa draws another mask") as error:
        built("sdpa", P, "+gfsa")
    assert "`softmax` with the filter" in str(error.value) and "\n" not in str(error.value)
    assert built("sdpa", P, "+gfsa:layers=2").attention_dropout == P  # not in this layer
    assert built("softmax", P, "+gfsa").attention.attention_dropout == P


PRODUCTS = ["sdpa", "softmax+gfsa", "longformer:window=6", "yoso-e", "synthesizer"]


@pytest.mark.parametrize("spec", [*PRODUCTS, "synthesizer:kind=dense"])
def test_products_are_counted_with_it_as_the_formula_says(spec):
    layer = build_layer(spec, dim=H * D, heads=H, max_len=N, attention_dropout=P)
    x = torch.randn(2, N, H * D, requires_grad=True)
    found, _ = count_flops(lambda: layer(x).sum().backward())
    given = {"dtype": x.dtype, "device": x.device}
    assert found == formula_flops(layer, 2, N, training=True, **given)


def test_xformers_gets_the_probability(xformers_on_cpu):
    q, k, v, keep = given()
    module = build_attention("xformers", dropout=P, **SIZES).double()
    whole = module.eval()(q, k, keep) @ v
    assert not torch.allclose(module.train()(q, k, keep) @ v, whole)
    torch.testing.assert_close(module.eval()(q, k, keep) @ v, whole)
