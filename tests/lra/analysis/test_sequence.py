"""One layer on one sequence: padding, filters that are no polynomial, orders of what is stacked."""

import numpy as np
import pytest
import torch
from torch import nn

from attention_zoo import FactoredOperator, Filter, UsageError, build_layer, register_filter
from attention_zoo.registry import FILTERS
from gfsa import GraphFilter
from gfsa.analysis import dominance, head_maps, observe
from lra.analysis import sequence
from lra.analysis.sequence import measure, operators_of, require_memory
from lra.analysis.summary import (
    distance_moved,
    filter_states,
    fourier_mean,
    head_of,
    of_head,
    ranks_up_to,
)
from lra.analysis.swap import output_changes, swap, swappable, swapped
from lra.results.analysis import FREQUENCIES
from tests.gfsa.analysis.matrices import blocks, circulant, dense, same_spectrum


def observed(spec, keep=None, x=None):
    layer = build_layer(spec, dim=12, heads=2, max_len=20)
    x = torch.randn(2, 20, 12) if x is None else x
    with observe(layer) as seen, torch.no_grad():
        layer(x, keep)
    return layer, seen[0][0]


@pytest.mark.parametrize("spec", ["softmax+gfsa:K=4", "linear+gfsa:K=4", "performer", "local"])
def test_a_padded_sequence_is_measured_as_if_it_were_alone(spec):
    keep = torch.arange(20) < torch.tensor([[20], [13]])
    layer, together = observed(spec, keep)
    operators = operators_of(together)
    assert [one.shape for one in operators] == [(1, 2, n, n) for n in (20, 13)]
    with observe(layer) as seen, torch.no_grad():
        layer(together.x[1:, :13])
    maps = head_maps(layer)
    padded = measure(operators[1], together.filters, maps)
    (operator,) = operators_of(seen[0][0])
    alone = measure(operator, seen[0][0].filters, maps)
    assert padded.tokens == alone.tokens == 13
    assert torch.allclose(padded.singular_values, alone.singular_values, atol=1e-5)
    assert np.allclose(padded.fourier, alone.fourier, atol=1e-5, equal_nan=True)
    if padded.values is not None:
        assert torch.allclose(padded.at_zero, alone.at_zero)
        assert all(
            torch.allclose(a, b, atol=1e-5) for a, b in zip(padded.gap, alone.gap, strict=True)
        )
        changes = output_changes(layer, together)
        assert torch.allclose(changes[1:], output_changes(layer, seen[0][0]), atol=1e-5)


def test_factors_of_low_rank_count_their_zero_eigenvalues():
    """R = 6 of 20 tokens: 0 is an eigenvalue of Ā, and its h(0) one of the filter."""
    layer, one = observed("linear+gfsa:w0=0.5")
    operator, maps = operators_of(one)[0], head_maps(layer)
    found = measure(operator, one.filters, maps)
    matrix = one.base.dense()[0].double()
    assert found.eigenvalues.shape == (2, 6)
    whole = torch.linalg.eigvals(matrix)
    assert torch.equal(found.dominance.smoothing, dominance(whole, maps).smoothing)
    assert found.at_zero.tolist() == [0.5, 0.5]
    filtered = one.filters[0].reference(matrix[None])[0].detach()
    same_spectrum(
        [*found.values[1].tolist(), *[0.5] * 14], torch.linalg.eigvals(filtered[1]).numpy(), 1e-4
    )


def test_the_mean_as_a_factor_of_rank_one_sharpens_by_the_zero_that_it_does_not_list():
    ones = torch.ones(1, 2, 6, 1, dtype=torch.float64)
    operator = FactoredOperator(ones, ones.mT / 6)
    found = measure(operator, [], torch.full((2, 3), -0.5) + 0j)
    assert found.eigenvalues.shape == (2, 1) and found.dominance.sharpening.tolist() == [1, 1]


def test_a_filter_that_takes_the_mean_away_sharpens():
    ones = torch.ones(1, 2, 6, 1, dtype=torch.float64)
    operator = FactoredOperator(ones, ones.mT / 6)
    found = measure(operator, [GraphFilter(2, w0=1.0, w1=-1.0)], torch.full((2, 3), 0.5) + 0j)
    assert found.dominance.smoothing.tolist() == [1, 1]
    assert found.dominance_filtered.sharpening.tolist() == [1, 1]


def test_between_the_mean_and_the_first_frequency_there_is_no_fourier_form():
    """Of a circulant it is the transform of the taps, at k/N; of the mean 1 at 0 and else 0."""
    for N in (1, 2, 3, 7, 20, 100):
        taps = np.random.default_rng(N).random(N)
        found = measure(dense(circulant(taps)), [], torch.zeros(1, 1) + 0j).fourier[0]
        own = np.abs(np.fft.fft(taps))
        assert found[0] == pytest.approx(own[0])
        for at, value in zip(FREQUENCIES[1:], found[1:], strict=True):
            k = int(at * N)
            part = at * N - k
            if k == 0:
                assert np.isnan(value)
            else:
                assert value == pytest.approx((1 - part) * own[k] + part * own[(k + 1) % N])
    mean = measure(dense(blocks([50])), [], torch.zeros(1, 1) + 0j).fourier[0]
    assert mean[0] == pytest.approx(1) and np.nanmax(mean[1:]) < 1e-12


def test_a_frequency_is_the_mean_over_the_sequences_that_have_it():
    rows = [np.array([1.0, np.nan, np.nan, 0.25]), np.array([3.0, np.nan, 5.0, 0.75])]
    assert fourier_mean(rows) == [2.0, None, 5.0, 0.5]


@pytest.fixture
def centred(monkeypatch):
    """A filter that is no polynomial of Ā and has a matrix of weights."""
    monkeypatch.setattr(FILTERS, "entries", dict(FILTERS.entries))

    @register_filter("centred")
    class Centred(Filter):
        def __init__(self, heads: int) -> None:
            super().__init__(heads)
            self.table = nn.Parameter(torch.ones(heads, 3))
            self.gain = nn.Parameter(torch.ones(()))

        def forward(self, operator, v):
            return self.gain * (operator @ v - operator.mean(v))

        def reference(self, matrix):
            return matrix - 1 / matrix.shape[-1]


def test_a_filter_that_is_no_polynomial_has_a_fourier_form_alone(centred):
    layer, one = observed("softmax+centred")
    measured = [measure(operator, one.filters, head_maps(layer)) for operator in operators_of(one)]
    weights = [[{"table": [[1.0, 2, 3], [4.0, 5, 6]], "gain": 1.0}]]
    ((state,), _) = filter_states(one.filters, weights, weights, 0, 2, measured)
    assert (state.verdict, state.gap) == (None, None)
    assert state.learned == {"table": [1.0, 2.0, 3.0], "gain": 1.0}
    head = head_of(1, measured, [1, 2, 4], [state])
    assert head.response is head.at_zero is head.base_distance is head.dominance_filtered is None
    assert head.fourier[0] == pytest.approx(1, abs=1e-6)
    assert head.fourier_filtered[0] == pytest.approx(0, abs=1e-6)
    # 1/20 is the first frequency of 20 tokens; 3/64 is less.
    assert head.fourier[1:4] == head.fourier_filtered[1:4] == [None] * 3
    assert head.fourier_filtered[4:] == pytest.approx(head.fourier[4:])
    assert swappable(layer) == [] and measured[0].gap is None


@pytest.mark.parametrize(
    ("second", "mode"), [("gfsa:K=4,mode=power", "mixed"), ("gfsa:K=2,mode=power", "power")]
)
def test_a_swap_names_the_form_that_all_filters_get(monkeypatch, second, mode):
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    monkeypatch.setattr("lra.analysis.swap.predictions", lambda *_: logits)
    layer, _ = observed(f"softmax+gfsa:K=3+{second}")
    found = swap(layer, None, "test", None)
    assert (found.mode, found.before.accuracy, found.changed) == (mode, 0.5, 0)


def test_another_filters_mode_is_no_form_of_gfsa(monkeypatch):
    monkeypatch.setattr(FILTERS, "entries", dict(FILTERS.entries))

    @register_filter("moded")
    class Moded(Filter):
        mode = "taylor"

        def forward(self, operator, v):
            return operator @ v

        def reference(self, matrix):
            return matrix

    layer, one = observed("softmax+moded")
    found = measure(operators_of(one)[0], one.filters, head_maps(layer))
    assert found.gap is None and swappable(layer) == []
    ((state,), _) = filter_states(one.filters, [[{}]], [[{}]], 0, 2, [found])
    assert state.gap is None


def test_forms_that_are_equal_are_not_exchanged():
    layer, one = observed("softmax+gfsa:K=1,wK=0.5+gfsa:K=2,wK=0.5+gfsa:K=3,wK=0.5")
    assert [each.K for each in swappable(layer)] == [3]
    assert measure(operators_of(one)[0], one.filters, head_maps(layer)).gap[0].tolist() == [0, 0]


def test_forms_are_exchanged_for_a_while_and_change_only_the_filtered():
    layer, one = observed("softmax+gfsa:K=3,wK=0.5+gfsa:K=5,mode=power,wK=0.3")
    modes = [each.mode for each in swappable(layer)]
    with pytest.raises(RuntimeError), swapped(layer):
        assert [each.mode for each in swappable(layer)] == modes[::-1] == ["power", "taylor"]
        raise RuntimeError
    assert [each.mode for each in swappable(layer)] == modes
    assert (output_changes(layer, one) > 0.01).all()


@pytest.mark.parametrize("remedies", ["+neutreno", "+neutreno+contranorm"])
def test_the_change_of_an_output_is_of_the_one_that_the_model_has(remedies):
    """Of a second layer, which is given the first one's values."""
    layer = build_layer(f"softmax+gfsa:K=5,wK=0.3{remedies}", dim=12, heads=2, max_len=20)
    other = build_layer(
        f"softmax+gfsa:K=5,mode=power,wK=0.3{remedies}", dim=12, heads=2, max_len=20
    )
    other.load_state_dict(layer.state_dict())
    x, shared = torch.randn(2, 20, 12), {"values": torch.randn(2, 20, 12)}
    with observe(layer) as seen, torch.no_grad():
        y = layer(x, None, shared)
        expected = (other(x, None, shared) - y).norm(dim=(1, 2)) / y.norm(dim=(1, 2))
        assert torch.allclose(output_changes(layer, seen[0][0]).float(), expected, rtol=1e-4)


def test_memory_is_asked_for_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(sequence, "available_memory", lambda: 4 * sequence.BYTES * 1_000**2)
    require_memory(4, 1_000, torch.device("cpu"))
    with pytest.raises(UsageError, match=r"of 2,000 tokens takes about .* --length 992 or less"):
        require_memory(4, 2_000, torch.device("cpu"))
    monkeypatch.setattr(sequence, "available_memory", lambda: None)
    require_memory(4, 10**6, torch.device("cpu"))


def test_ranks_are_all_of_few_and_spread_over_many():
    assert ranks_up_to(5) == [1, 2, 3, 4, 5] and ranks_up_to(1) == ranks_up_to(0) == [1]
    many = ranks_up_to(4096)
    assert many[:4] == [1, 2, 3, 4] and many[-1] == 4096 and len(many) <= 33


def test_weights_of_a_head_are_its_entries_and_those_that_all_share():
    weights = {"each": [1.0, 2.0], "shared": [3.0], "one": 4.0, "table": [5.0, 6.0, 7.0]}
    own = {"each": 2.0, "shared": 3.0, "one": 4.0, "table": [5.0, 6.0, 7.0]}
    assert of_head(weights, 1, 2) == own
    assert distance_moved(own, own | {"shared": 0.0, "table": [5.0, 2.0, 7.0]}) == 5
    assert distance_moved({"w": 0.0}, {"w": None}) is None  # a weight that is not finite
