"""What is no attention: what is refused, and that the kit finds what is wrong with one."""

import pytest
import torch
from torch import nn

from attention_zoo import (
    DecodingCache,
    Mixer,
    Support,
    UnsupportedError,
    UsageError,
    build_attention,
    build_layer,
    mixer_names,
    names,
    parse_spec,
    register_mixer,
)
from attention_zoo.registry import ATTENTIONS, load_plugins
from attention_zoo.testing import MIXER_CHECKS, verdict

load_plugins()
LAYER = {"dim": 16, "heads": 2, "max_len": 64}
GIVEN = {"paper": "ours", "time": "N", "memory": "N"}


@pytest.fixture(autouse=True)
def forget_afterwards(monkeypatch):
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))


class Running(Mixer):
    """A projection of the running mean over real tokens; holds the whole kit."""

    support = Support(**GIVEN, causal="always")

    def __init__(self, *, dim, max_len):
        super().__init__(dim=dim, max_len=max_len)
        self.out = nn.Linear(dim, dim)

    def mix(self, x, keep):
        real = x.new_ones(x.shape[:2]) if keep is None else keep.to(x.dtype)
        wide = torch.promote_types(x.dtype, torch.float32)
        mean = x.cumsum(1, dtype=wide) / real.cumsum(1, dtype=wide).clamp(min=1)[..., None]
        return self.out(mean.to(x.dtype))


class Refers(Running):
    def reference(self, x, keep):
        return 2 * self.mix(x, keep)


class Padded(Running):
    """Divides by the padded length."""

    def mix(self, x, keep):
        return self.out(x.cumsum(1) / x.shape[1])


class Pads(Running):
    def forward(self, x, keep=None):
        return self.mix(x, keep)


class Mates(Running):
    def mix(self, x, keep):
        return super().mix(x + x.mean(0, keepdim=True), keep)


class Wide(Running):
    def mix(self, x, keep):
        return super().mix(x, keep).float()


class Later(Running):
    def mix(self, x, keep):
        return super().mix(x.flip(1), keep).flip(1)


class Quadratic(Running):
    def mix(self, x, keep):
        return super().mix(x + 0 * (x @ x.mT).sum(-1, keepdim=True), keep)


class Idle(Running):
    def __init__(self, *, dim, max_len):
        super().__init__(dim=dim, max_len=max_len)
        self.unused = nn.Linear(dim, dim)


class Constant(Running):
    """Its gradient is not that of what it computes."""

    def mix(self, x, keep):
        return super().mix(x.detach() ** 2 + x - x.detach(), keep)


class Noisy(Running):
    def mix(self, x, keep):
        return super().mix(x, keep) + torch.randn_like(x)


class Forgetful(Running):
    def __init__(self, *, dim, max_len):
        super().__init__(dim=dim, max_len=max_len)
        self.weights = torch.randn(dim, dtype=torch.float64)

    def mix(self, x, keep):
        return super().mix(x * self.weights.to(x.dtype), keep)


MUTANTS = {
    "reference": Refers,
    "amount": Padded,
    "poison": Pads,
    "packed": Mates,
    "dtypes": Wide,
    "causal": Later,
    "growth": Quadratic,
    "trains": Idle,
    "derivative": Constant,
    "deterministic": Noisy,
    "state_dict": Forgetful,
}


@pytest.mark.parametrize("check", MUTANTS)
def test_the_kit_finds_what_is_wrong(check):
    register_mixer("mutant")(MUTANTS[check])
    found = verdict(check, "mutant")
    assert found.outcome == "fails", found


@pytest.mark.parametrize("check", MIXER_CHECKS)
def test_a_mixer_of_ones_own_holds_it(check):
    register_mixer("running")(Running)
    found = verdict(check, "running")
    assert found.outcome == "holds", found.detail


def test_they_have_a_list_of_their_own_and_one_namespace():
    assert "s4d" in mixer_names() and not set(mixer_names()) & set(names())
    with pytest.raises(UsageError, match="'linear' is already registered"):
        register_mixer("linear")(Running)
    with pytest.raises(UsageError, match="must be a subclass of Mixer"):
        register_mixer("module")(nn.Linear)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("s4d+gfsa", "s4d is a mixer, not an attention: it has no Ā to filter"),
        ("s4d+mean", "no Ā to filter"),
        ("s4d+neutreno", "neutreno acts on the values of an attention's layer"),
        ("s4d+vit-", "acts on the projections"),
        ("s4d:states=4", "did you mean 'state'"),
    ],
)
def test_what_acts_inside_is_refused(spec, reason):
    with pytest.raises(UsageError, match=reason):
        parse_spec(spec)


def test_what_only_attentions_have_is_refused():
    with pytest.raises(UsageError, match="it has no operator on values"):
        build_attention("s4d", heads=2, head_dim=8, max_len=64)
    with pytest.raises(UnsupportedError, match="no attention to drop entries out of"):
        build_layer("s4d", **LAYER, attention_dropout=0.1)
    with pytest.raises(UnsupportedError, match="s4d has no causal form"):
        build_layer("s4d", **LAYER, causal=True)
    with pytest.raises(UnsupportedError, match="Hyena does not support decoding"):
        build_layer("hyena", **LAYER, causal=True)(torch.randn(1, 1, 16), cache=DecodingCache())


def test_a_remedy_on_the_output_acts_on_it():
    torch.manual_seed(0)
    plain = build_layer("s4d", **LAYER)
    torch.manual_seed(0)
    scaled = build_layer("s4d+layerscale:start=0.5", **LAYER)
    x = torch.randn(2, 9, 16)
    torch.testing.assert_close(scaled(x), 0.5 * plain(x))
    torch.testing.assert_close(scaled.after_ffn(x), 0.5 * x)
