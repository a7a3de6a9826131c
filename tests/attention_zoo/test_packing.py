"""What packed batches promise beyond the contract's check of them."""

import pytest
import torch

from attention_zoo import UsageError, build_attention, build_layer
from attention_zoo.attention import Attention
from attention_zoo.attentions.linear import Linear
from attention_zoo.attentions.sdpa import SDPA
from attention_zoo.operators import KernelOperator
from attention_zoo.packing import Packing
from attention_zoo.parts.exact import softmax_matrix
from attention_zoo.registry import ATTENTIONS

KEEP = torch.arange(12) < torch.tensor([12, 3, 7])[:, None]


def packed(keep=KEEP, **how):
    packing = Packing(keep, **how)
    return packing, torch.randn(len(packing.place), 16)


@pytest.mark.parametrize(
    ("together", "sizes"), [(1, [1, 1, 1]), (6, [1, 1, 1]), (14, [2, 1]), (99, [3])]
)
def test_short_examples_go_together(together, sizes):
    packing, _ = packed(together=together)
    assert [group.size for group in packing.groups] == sizes
    assert packing.examples.tolist() == [1, 2, 0] and packing.lengths == [3, 7, 12]
    assert packing.offsets().tolist() == [0, 3, 10, 22]
    tokens = packing.pack(torch.arange(36).view(3, 12))
    assert tokens.tolist() == [*range(12, 15), *range(24, 31), *range(12)]
    assert packing.place.tolist() == [*range(3), *range(7), *range(12)]


def test_a_batch_without_padding_is_one_group_without_a_mask():
    packing, _ = packed(torch.ones(4, 9, dtype=torch.bool))
    (group,) = packing.groups
    assert group.keep is None and (group.size, group.length) == (4, 9) and not packing.ragged


def test_what_does_not_fit_is_refused():
    packing, x = packed()
    layer = build_layer("linear", dim=16, heads=2, max_len=12)
    with pytest.raises(UsageError, match="x has 21 tokens, its packing 22"):
        layer(x[1:], packing)


def test_a_batch_without_a_token_gives_every_parameter_a_gradient():
    packing, x = packed(torch.zeros_like(KEEP))
    layer = build_layer("agf+gfsa", dim=16, heads=2, max_len=12)
    y = layer(x, packing)
    y.sum().backward()
    assert y.shape == (0, 16)
    assert all(not parameter.grad.any() for parameter in layer.parameters())


class Whole(SDPA):
    """Takes packed batches whole, as on a GPU."""

    def packs(self, x):
        return True

    def packed(self, q, k, packing):
        example = torch.arange(len(packing.lengths)).repeat_interleave(
            torch.tensor(packing.lengths)
        )
        return KernelOperator(
            q,
            k,
            None,
            lambda q, k, v, _: softmax_matrix(q, k, None, example[:, None] == example) @ v,
        )


@pytest.fixture
def whole(monkeypatch):
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))
    ATTENTIONS.register("whole")(Whole)


def test_of_a_batch_taken_whole_the_mean_is_each_examples_own(whole):
    packing, _ = packed()
    module = build_attention("whole+gfsa", heads=2, head_dim=8, max_len=12)
    q, k, v = torch.randn(3, 1, 2, 22, 8).unbind()
    mean = module(q, k, packing).mean(v)
    for found, part in zip(*(x.split(packing.lengths, 2) for x in (mean, v)), strict=True):
        torch.testing.assert_close(found, part.mean(2, keepdim=True).expand_as(part))
    short = build_attention("whole", heads=2, head_dim=8, max_len=11)
    with pytest.raises(UsageError, match="12 tokens are more than max_len=11"):
        short(q, k, packing)


class Wrapping(Linear):
    """An attention around another, whose term of the loss is not lost."""

    def __init__(self, *, heads, head_dim, max_len, dim):
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.inner = build_attention(
            "agf:gamma=1.0", heads=heads, head_dim=head_dim, max_len=max_len, dim=dim
        )
        self.needs_input = True

    def operator(self, q, k, keep, x):
        return self.inner(q, k, keep, x)


def test_the_terms_of_attentions_inside_are_handed_out_and_none_twice(monkeypatch):
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))
    ATTENTIONS.register("wrapping")(Wrapping)
    layer = build_layer("wrapping", dim=16, heads=2, max_len=12).train()
    packing, _ = packed(together=1)
    x = torch.randn(3, 12, 16)
    layer(x, KEEP)
    expected = layer.auxiliary_loss()
    layer(x.flatten(0, 1)[packing.pack(torch.arange(36).view(3, 12))], packing)
    torch.testing.assert_close(layer.auxiliary_loss(), expected)
    layer(x[:1], None)
    inside = next(m for m in layer.attention.modules() if type(m).__name__ == "AGF")
    assert isinstance(inside, Attention) and layer.auxiliary_loss() is not None
    assert layer.auxiliary_loss() is None
