"""GFSA on the attentions of transformers: where it starts, what it computes, what it costs."""

import copy

import pytest
import torch
from torch.nn.functional import dropout
from torch.testing import assert_close

from gfsa.adapters import apply_gfsa
from tests.gfsa.adapters.models import (
    CONFIGS,
    LAYERS,
    adapters,
    build,
    dense,
    inputs,
    made,
    outputs,
    randomise,
    real,
)

pytestmark = pytest.mark.parity
every_model = pytest.mark.parametrize("name", CONFIGS)
every_kernel = pytest.mark.parametrize("kernel", ["sdpa", "eager"])


def changed(model, name, filter="gfsa:K=3"):
    return apply_gfsa(model, filter, LAYERS.get(name, ("even", 2))[0])


@every_kernel
@every_model
def test_at_its_start_no_bit_changes(name, kernel):
    for dtype in (torch.float32, torch.bfloat16):
        model, given = build(name, kernel, dtype=dtype), inputs(name, dtype)
        before = model(**given)[0]
        assert apply_gfsa(model, layers=LAYERS.get(name, ("even",))[0]) is model
        after = model(**given)[0]
        assert torch.equal(before, after) and before.isfinite().all()


@every_model
def test_parameters_are_the_papers(name):
    """One number for each head of each filtered layer, or three."""
    layers, count = LAYERS.get(name, ("even", 2))
    heads = 6 if name == "Swin" else 2 * count
    for filter, each in (("gfsa:K=3,learn=wK", 1), ("gfsa:K=3", 3)):
        model = build(name)
        before = sum(p.numel() for p in model.parameters() if p.requires_grad)
        apply_gfsa(model, filter, layers)
        after = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert len(adapters(model)) == count and after - before == each * heads


@every_kernel
@every_model
def test_it_is_gfsa_written_down(name, kernel):
    """With masks of padding, windows and causality, and biases of positions."""
    model, plain, given = build(name, kernel), build(name, "eager"), inputs(name)
    changed(model, name)
    randomise(model)
    expected = real(name, dense(model, plain)(**given)[0])
    # ViT's own eager attention is of float32.
    tolerance = {"rtol": 1e-6, "atol": 1e-6} if kernel == "eager" else {}
    assert_close(real(name, model(**given)[0]), expected, **tolerance)
    for adapter in adapters(model).values():
        for parameter in adapter.parameters():
            parameter.data.add_(0.1)
    assert (real(name, model(**given)[0])[0] - expected[0]).abs().max() > 1e-4


@every_model
def test_gradients_reach_every_weight(name):
    model = changed(build(name), name).train()
    model(**inputs(name))[0].square().sum().backward()
    for adapter in adapters(model).values():
        for parameter in adapter.parameters():
            assert (parameter.grad != 0).all()


def test_a_4d_mask_is_taken_as_it_is():
    model, plain, given = build("Bert"), build("Bert", "eager"), inputs("Bert")
    randomise(apply_gfsa(model, layers="all"))
    mask = torch.rand(2, 1, 9, 9) < 0.5
    mask |= torch.eye(9, dtype=torch.bool)
    tokens = given["input_ids"]
    bias = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, -1e30)
    expected = dense(model, plain)(tokens, attention_mask=bias)[0]
    assert_close(model(tokens, attention_mask=mask)[0], expected)
    assert_close(model(tokens, attention_mask=bias)[0], expected)


def test_other_filters_of_the_zoo_and_several_of_them():
    given = inputs("Bert")
    for spec in ("poly:K=2,basis=chebyshev", "identity", "mean", "gfsa+gfsa:K=2"):
        model = build("Bert")
        before = model(**given)[0]
        assert_close(apply_gfsa(model, spec, "2/3")(**given)[0], before)
        assert list(adapters(model)) == [f"encoder.layer.{i}.attention.self" for i in (1, 2)]
        randomise(model)
        alone = model(given["input_ids"][:1, :6])[0]
        assert_close(model(**given)[0][:1, :6], alone)
        assert (real("Bert", before)[0] - alone[0]).abs().max() > 1e-3


@every_kernel
def test_autocast(kernel):
    model, given = build("Bert", kernel, dtype=torch.float32), inputs("Bert")
    with torch.autocast("cpu", torch.bfloat16):
        before = model(**given)[0]
        after = apply_gfsa(model)(**given)[0]
        assert torch.equal(before, after)
        randomise(model)
        mixed = model(**given)[0]
    mixed.float().sum().backward()
    assert_close(mixed.float(), model(**given)[0], atol=0.1, rtol=0.1)
    assert adapters(model)["encoder.layer.1.attention.self"].filters[0].w0.grad.isfinite().all()


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", ["Bert", "GPT2", "ViT", "Swin"])
def test_gradient_checkpointing_changes_no_gradient(name, reentrant):
    model, given = changed(build(name), name).train(), inputs(name)
    randomise(model)
    other = copy.deepcopy(model)
    other.gradient_checkpointing_enable({"use_reentrant": reentrant})
    for one in (model, other):
        one(**given)[0].square().sum().backward()
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        if ours.grad is not None:
            assert_close(ours.grad, theirs.grad)


def test_eager_attention_drops_entries_once_for_all_powers(monkeypatch):
    import transformers.models.bert.modeling_bert as bert

    model = build("Bert", "eager", attention_probs_dropout_prob=0.4).train()
    given = inputs("Bert")
    torch.manual_seed(1)
    before = model(**given)[0]
    apply_gfsa(model, layers="1")
    torch.manual_seed(1)
    assert torch.equal(before, model(**given)[0])
    randomise(model)
    dropped = []

    def spied(x, p, training, inplace=False):
        y = dropout(x, p, training)
        if p:
            dropped.append(y)
        return y

    monkeypatch.setattr(bert.nn.functional, "dropout", spied)
    attention = model.encoder.layer[0].attention.self
    v, y = outputs(attention.value, attention)
    model(**given)
    A, v = dropped[0], v[0].unflatten(-1, (2, 8)).transpose(1, 2)
    assert (A == 0).float().mean() > 0.2
    w0, w1, wK = (w[:, None, None] for w in attention.gfsa.filters[0].parameters())
    expected = w0 * v + w1 * A @ v + wK * (2 * A @ A @ v - A @ v)
    assert_close(y[0][0], expected.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("name", ["Bert", "GPT2"])
def test_no_matrix_of_all_pairs_is_made(name):
    """Forward and backward. Of a padded batch there is the model's own mask, as its kernel takes
    it; nothing else is made of it."""
    N = 512
    options = {"n_positions" if name == "GPT2" else "max_position_embeddings": N}
    model, dense = (build(name, k, dtype=torch.float32, **options) for k in ("sdpa", "eager"))
    masks = made(model, N, pads=3)
    randomise(apply_gfsa(model, layers="all"))
    assert made(model, N, pads=0) == set()
    assert made(model, N, pads=3) == masks
    assert len(made(apply_gfsa(dense), N, pads=0)) > 3


def test_attentions_that_are_put_out_are_those_below_the_filter():
    model, given = build("Bert", "eager"), inputs("Bert")
    before = model(**given, output_attentions=True).attentions
    randomise(apply_gfsa(model, layers="1"))
    after = model(**given, output_attentions=True).attentions
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])
    assert_close(after[1].sum(-1), torch.ones(2, 2, 9).double())


def test_a_copy_is_independent():
    model, given = apply_gfsa(build("GPT2")), inputs("GPT2")
    other = copy.deepcopy(model)
    before = other(**given)[0]
    randomise(model)
    assert torch.equal(other(**given)[0], before)
    assert (model(**given)[0] - before).abs().max() > 1e-3
