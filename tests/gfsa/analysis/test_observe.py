import numpy as np
import pytest
import torch
from torch import nn

from attention_zoo import DenseOperator, FactoredOperator, UsageError, build_layer
from attention_zoo.operators import CollisionOperator
from attention_zoo.packing import Packing
from gfsa import GraphFilter
from gfsa.analysis import cosine_similarity, eigenvalues, high_over_low, observe, states


class Block(nn.Module):
    def __init__(self, spec, layer):
        super().__init__()
        self.attention = build_layer(spec, dim=8, heads=2, max_len=16, layer=layer)

    def forward(self, x, keep=None):
        return x + self.attention(x, keep=keep)


class Model(nn.Module):
    def __init__(self, spec, layers=2):
        super().__init__()
        self.blocks = nn.ModuleList(Block(spec, i + 1) for i in range(layers))

    def forward(self, x, keep=None):
        for block in self.blocks:
            x = block(x, keep)
        return x


@pytest.mark.parametrize("spec", ["linear+gfsa:wK=0.5", "softmax", "yoso-e"])
def test_what_is_watched_computes_the_same_values_and_gradients(spec):
    model, x = Model(spec), torch.randn(2, 16, 8)
    keep = torch.arange(16) < torch.tensor([[16], [9]])

    def step():
        model.zero_grad()
        y = model(x, keep)
        y[keep].square().sum().backward()
        return [y[keep], *(p.grad for p in model.parameters() if p.grad is not None)]

    before = step()
    with observe(model) as layers, states(model.blocks) as depth:
        watched = step()
    assert all(torch.equal(a, b) for a, b in zip(before, watched, strict=True))
    assert [len(one) for one in layers] == [1, 1] and [len(one) for one in depth] == [1, 1, 1]
    step()
    assert [len(one) for one in layers] == [1, 1], "nothing watches after the end"


def test_each_layer_shows_its_input_output_operator_and_filters():
    model, x = Model("linear+gfsa:K=3+gfsa:K=4,layers=2"), torch.randn(1, 16, 8)
    with observe(model) as layers, states(model.blocks) as depth:
        y = model(x)
    (first,), (second,) = layers
    assert first.x is x and first.keep is None and type(first.base) is FactoredOperator
    assert [one.K for one in first.filters] == [3] and [one.K for one in second.filters] == [3, 4]
    assert all(isinstance(one, GraphFilter) for one in second.filters)
    assert torch.equal(second.x, x + first.y) and torch.equal(y, second.x + second.y)
    assert [one[0].x is wanted for one, wanted in zip(depth[::2], (x, y), strict=True)] == [
        True
    ] * 2
    assert torch.equal(depth[1][0].x, second.x)


@pytest.mark.parametrize("padded", [True, False])
def test_packed_batches_are_shown_in_their_padded_form(padded):
    model, lengths = Model("softmax"), [5, 12, 9, 16]
    keep = torch.arange(16) < torch.tensor(lengths)[:, None]
    packing = Packing(keep, padded=padded, together=24)
    x = torch.randn(len(packing.place), 8)
    with observe(model) as layers, states(model.blocks) as depth:
        y = model(x, packing)
    groups = layers[1]
    assert len(groups) == (1 if padded else 3)
    counts = [part for one in groups for part in real_counts(one)]
    assert counts == (lengths if padded else sorted(lengths))
    assert [part for one in depth[2] for part in real_counts(one)] == counts
    found = torch.cat([one.x[mask_of(one)] for one in depth[2]])
    assert torch.equal(found, y.view(4, 16, 8)[keep] if padded else y)
    for one in groups:
        assert isinstance(one.operator, DenseOperator) and one.operator.shape[2] == one.x.shape[1]
        again = model.blocks[1].attention(one.x, one.keep)
        assert torch.allclose(again[mask_of(one)], one.y[mask_of(one)], atol=1e-6)


def test_what_layers_share_is_shown_with_each_group_of_a_packed_batch():
    layer = build_layer("softmax+neutreno", dim=8, heads=2, max_len=16)
    packing = Packing(torch.arange(16) < torch.tensor([[5], [16], [9]]), padded=False, together=24)
    x, values = torch.randn(2, len(packing.place), 8)
    with observe(layer) as layers, torch.no_grad():
        layer(x, packing, {"values": values})
    assert len(layers[0]) > 1
    for one in layers[0]:
        real = mask_of(one)
        again = layer(one.x, one.keep, one.shared)
        assert torch.allclose(again[real], one.y[real], atol=1e-6)
        assert not torch.allclose(layer(one.x, one.keep)[real], one.y[real], atol=1e-2)


def mask_of(one):
    return torch.ones(one.x.shape[:2]).bool() if one.keep is None else one.keep


def real_counts(one):
    return mask_of(one).sum(1).tolist()


def test_a_batch_without_tokens_shows_nothing():
    model = Model("softmax")
    with observe(model) as layers:
        model(torch.zeros(0, 8), Packing(torch.zeros(2, 3, dtype=torch.bool)))
    assert layers == [[], []]


def test_a_kernel_that_took_several_examples_as_one_sequence_is_refused():
    layer = build_layer("sdpa", dim=8, heads=2, max_len=16)
    packing = Packing(torch.arange(16) < torch.tensor([[16], [9]]))
    attention = layer.attention
    attention.packs = lambda x: True

    def packed(q, k, packing):
        operator = DenseOperator(torch.zeros(1, 2, q.shape[2], q.shape[2]))
        operator.lengths = packing.lengths
        return operator

    attention.packed = packed
    x = torch.randn(25, 8)
    assert layer(x, packing).shape == x.shape
    with observe(layer), pytest.raises(UsageError, match="2 examples went through one kernel"):
        layer(x, packing)


def test_a_model_whose_smoothing_is_known():
    """Layers x ← x + Ā x with Ā the mean over tokens double the mean and keep the rest, so that
    HFC/LFC halves at each and the cosine follows."""
    model = Model("mean", layers=3).double()
    for block in model.blocks:
        layer = block.attention
        with torch.no_grad():
            for linear in (layer.qkv, layer.out):
                linear.weight.copy_(torch.eye(8))
                linear.bias.zero_()
    x = torch.randn(1, 16, 8, dtype=torch.float64)
    with observe(model) as layers, states(model.blocks) as depth, torch.no_grad():
        model(x)
    ratios = [high_over_low(one[0].x).item() for one in depth]
    assert np.allclose(ratios, ratios[0] * 0.5 ** np.arange(4))
    cosines = [cosine_similarity(one[0].x).item() for one in depth]
    assert cosines == sorted(cosines) and cosines[-1] > 0.8 > cosines[0]
    assert eigenvalues(layers[0][0].operator)[0, 0].abs().tolist() == pytest.approx(
        [1, *[0] * 15], abs=1e-9
    )


def test_operators_of_hashes_are_watched_as_any_other():
    layer = build_layer("yoso", dim=8, heads=2, max_len=16)
    with observe(layer) as layers:
        layer(torch.randn(1, 16, 8))
    assert isinstance(layers[0][0].base, CollisionOperator)
    assert eigenvalues(layers[0][0].base).shape == (1, 2, 16)
