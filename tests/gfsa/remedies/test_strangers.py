"""Remedies of others: wrong ones are found, and whatever sizes they take they are built."""

import pytest

from attention_zoo import OnOutput, OnValues, UsageError, build_layer, register_filter
from attention_zoo.filter import Modifier
from attention_zoo.registry import FILTERS
from attention_zoo.testing import verdict
from gfsa import FeatScale, GraphFilter, NeuTRENO, ViTMinus


class PadsCount(FeatScale):
    """Its mean is over the padded length."""

    def forward(self, y, keep):
        return super().forward(y, None)


class WrongSide(ViTMinus):
    """Λ stands at the values, too."""

    def forward(self):
        W_V, W_O = super().forward()
        return W_V * self.psi, W_O


class Own(NeuTRENO):
    """Every layer is its own first."""

    def forward(self, y, v, first):
        return y + self.weight * (v - first.detach())


@pytest.mark.parametrize("mutant", [PadsCount, WrongSide, Own])
def test_the_contract_finds_a_wrong_remedy(mutant, monkeypatch):
    monkeypatch.setattr(FILTERS, "entries", dict(FILTERS.entries))
    register_filter("mutant")(mutant)
    assert verdict("layers", "linear+mutant").outcome == "fails"


class Bare(OnValues):
    """Without an `__init__`."""

    def forward(self, y, v, first):
        return 2 * y

    def reference(self, y, v, first):
        return y + y


class Sized(OnOutput):
    def __init__(self, heads: int, dim: int, scale: float = 1.0):
        super().__init__()
        self.heads, self.dim, self.scale = heads, dim, scale

    def forward(self, y, keep):
        return self.scale * y

    reference = forward


class HandsOn(GraphFilter):
    def __init__(self, K: int = 2, **sizes: int):
        super().__init__(K=K, **sizes)


@pytest.fixture
def registering(monkeypatch):
    monkeypatch.setattr(FILTERS, "entries", dict(FILTERS.entries))
    return lambda cls: register_filter("strange")(cls)


@pytest.mark.parametrize("cls", [Bare, Sized, HandsOn])
def test_a_stranger_may_have_any_or_no_sizes(registering, cls):
    registering(cls)
    assert verdict("layers", "linear+strange").outcome == "holds"
    if cls is Sized:
        built = build_layer("linear+strange:scale=3", dim=16, heads=2, max_len=9).on_output
        assert (built.heads, built.dim, built.scale) == (2, 16, 3)


def test_what_acts_elsewhere_than_its_base_says_is_refused(registering):
    for changes, words in (
        ({"acts_on": "outputs"}, "OnOutput acts on the output"),
        ({"stacks": True}, "where one stands alone"),
    ):
        with pytest.raises(UsageError, match=words):
            registering(type("Wrong", (Sized,), changes))
    with pytest.raises(UsageError, match="must be a subclass of Filter, OnValues"):
        registering(type("Wrong", (Modifier,), {"acts_on": "output"}))

    class Layers(Bare):
        def __init__(self, layers: int = 3):
            super().__init__()

    with pytest.raises(UsageError, match="the option 'layers' is one of all of them"):
        registering(Layers)
