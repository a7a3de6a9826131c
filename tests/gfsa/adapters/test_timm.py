"""GFSA and attentions of the zoo in models of timm."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_zoo import UnsupportedError
from gfsa.adapters import apply_attention, apply_gfsa
from tests.gfsa.adapters.models import Made, adapters, randomise

pytestmark = pytest.mark.parity
VIT = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 4, "num_heads": 2}
SWIN = {"img_size": 32, "patch_size": 2, "embed_dim": 8, "depths": (2, 2), "num_heads": (2, 4)}
SWIN |= {"window_size": 4}
every_model = pytest.mark.parametrize("name", ["vit", "deit", "swin"])


def build(name, **options):
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    cls = {"vit": VisionTransformer, "deit": VisionTransformerDistilled, "swin": SwinTransformer}
    model = cls[name](**(SWIN if name == "swin" else VIT) | {"num_classes": 5} | options)
    with torch.no_grad():  # small random models hardly attend to anything
        for parameter in model.parameters():
            parameter.mul_(3)
    return model.double().eval()


def images(name):
    size = 32 if name == "swin" else 16
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, size, size, dtype=torch.float64, generator=generator)


def fused(model):
    """torch's kernel, which timm leaves out of Swin unless it is asked for."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = True
    return model


class Reference(nn.Module):
    """Where timm's own path, with Ā written down, drops entries of Ā out."""

    def __init__(self, filters):
        super().__init__()
        self.filters = filters

    def forward(self, matrix):
        for one in self.filters:
            matrix = one.reference(matrix)
        return matrix


@every_model
def test_at_its_start_no_bit_changes(name):
    before = fused(build(name))(images(name))
    assert torch.equal(apply_gfsa(build(name), layers="all")(images(name)), before)


@every_model
@pytest.mark.parametrize("filter", ["gfsa:K=3", "mean+gfsa"])
def test_it_is_the_filter_written_down(name, filter):
    """Ā² of Swin is within each window, whose mask of shifts and bias of positions it has."""
    model, plain = apply_gfsa(build(name), filter, "even"), build(name)
    randomise(model)
    assert len(adapters(model)) == 2
    for place, adapter in adapters(model).items():
        module = plain.get_submodule(place)
        module.fused_attn, module.attn_drop = False, Reference(adapter.filters)
    found = model(images(name))
    assert_close(found, plain(images(name)))
    assert (found - build(name)(images(name))).abs().max() > 1e-3


@every_model
def test_it_trains_saves_and_copies(name):
    model = apply_gfsa(build(name), "gfsa:learn=wK", "all").train()
    heads = 2 * 2 + 2 * 4 if name == "swin" else 4 * 2
    count = sum(
        p.numel() for a in adapters(model).values() for p in a.parameters() if p.requires_grad
    )
    assert count == heads
    randomise(model)
    gradients = []
    for checkpointing in (False, True):
        model.set_grad_checkpointing(checkpointing)
        model.zero_grad()
        model(images(name)).square().sum().backward()
        gradients.append(
            [adapter.filters[0].wK.grad.clone() for adapter in adapters(model).values()]
        )
    assert all((gradient != 0).all() for gradient in gradients[0])
    assert_close(*gradients)
    model.eval()
    other = apply_gfsa(build(name), "gfsa:learn=wK", "all")
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(images(name)), model(images(name)))
    assert torch.equal(copy.deepcopy(model)(images(name)), model(images(name)))
    plain = build(name)
    assert not plain.load_state_dict(model.state_dict(), strict=False).missing_keys


def test_no_tensor_of_all_pairs_is_made():
    model = apply_gfsa(build("vit", img_size=80), layers="all").float()
    with Made(401) as made:
        model(torch.randn(1, 3, 80, 80)).sum().backward()
    assert made.calls and not made.square


def test_attentions_of_the_zoo_take_its_place():
    model = apply_attention(build("vit"), "linear+gfsa")
    assert [a.attention.attention.max_len for a in adapters(model).values()] == [17] * 4
    model(images("vit")).sum().backward()
    with pytest.raises(UnsupportedError, match=r"layers.0.blocks.0.attn .* position biases"):
        apply_attention(build("swin"), "linear")


def test_what_cannot_be_changed_is_named():
    from timm.models.cait import Cait

    with pytest.raises(UnsupportedError, match=r"attn \(Attention\): its fused kernel draws"):
        apply_gfsa(build("vit", attn_drop_rate=0.1))
    with pytest.raises(UnsupportedError, match=r"TalkingHeadAttn\) computes attention by itself"):
        apply_gfsa(Cait(img_size=16, patch_size=4, embed_dim=16, depth=2, num_heads=2))
