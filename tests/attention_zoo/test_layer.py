"""What stands around the operator."""

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import Attention, DenseOperator, Support, build_layer, names
from attention_zoo.registry import ATTENTIONS
from attention_zoo.testing.cases import C, Case, D, H, layer, operator_of

CASE = Case(17, (17, 9, 1))


@pytest.mark.parametrize("name", [name for name in names() if name != "xformers"])
def test_a_layer_is_out_of_the_finished_result_of_its_projections(name):
    module, x, keep = layer(name), CASE.tensors()[3], CASE.keep
    clean = torch.where(keep[..., None], x, 0.0)
    parts = module.qkv(clean).unflatten(-1, (len(module.names), H, D)).permute(2, 0, 3, 1, 4)
    made = dict(zip(module.names, parts, strict=True))
    q = made.get("q", made.get("k", made["v"]))
    operator = operator_of(module.attention, q, made.get("k", q), keep, clean)
    y = module.attention.finish(operator @ made["v"])
    assert_close(module(x, keep)[keep], module.out(y.transpose(1, 2).flatten(2))[keep])


class QueryOnly(Attention):
    """Ā = softmax(q qᵀ)."""

    support = Support(paper="none", rows_sum_to_one=True, time="N²", memory="N²")
    projections = ("q",)

    def operator(self, q, k, keep):
        return DenseOperator((q @ q.mT).softmax(-1), keep)

    def reference(self, q, k, keep):
        raise NotImplementedError

    def finish(self, y):
        return y.square()


def test_an_attention_that_looks_at_q_alone_has_no_weights_for_k(monkeypatch):
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))
    ATTENTIONS.register("query-only")(QueryOnly)
    made = []
    for spec in ("softmax", "query-only", "query-only+gfsa"):
        torch.manual_seed(0)
        made.append(build_layer(spec, dim=C, heads=H, max_len=17))
    full, half, filtered = made
    assert half.qkv.weight.shape == (2 * C, C) and half.qkv.bias.shape == (2 * C,)
    assert torch.equal(half.qkv.weight, torch.cat([full.qkv.weight[:C], full.qkv.weight[-C:]]))
    assert torch.equal(half.out.weight, full.out.weight)
    x = torch.randn(2, 5, C)
    q, v = half.qkv(x).unflatten(-1, (2, H, D)).permute(2, 0, 3, 1, 4)
    y = ((q @ q.mT).softmax(-1) @ v).square().transpose(1, 2).flatten(2)
    assert_close(half(x), half.out(y))
    assert torch.equal(filtered(x), half(x))  # the filter's polynomial starts as Ā


def test_layers_draw_weights_of_their_own():
    first, second = (
        build_layer("taylor", dim=C, heads=H, max_len=17, layer=layer) for layer in (1, 2)
    )
    assert not torch.equal(first.attention.project_q, second.attention.project_q)
