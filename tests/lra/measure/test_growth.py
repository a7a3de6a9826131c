import pytest
from hypothesis import given
from hypothesis import strategies as st

from lra.measure.growth import growth

LENGTHS = st.sets(st.integers(1, 1 << 20), min_size=2, max_size=8)


@given(LENGTHS, st.floats(-1, 3), st.floats(1e-3, 1e6))
def test_an_exact_power_law_has_its_exponent_everywhere(lengths, exponent, constant):
    found = growth({N: constant * N**exponent for N in lengths})
    assert found.exponent == pytest.approx(exponent, abs=1e-4)
    assert found.smallest <= found.largest
    assert (found.first, found.last) == (min(lengths), max(lengths))


def test_slopes_between_neighbours_bound_the_exponent():
    found = growth({4: 4.0, 1: 1.0, 2: 1.0, 8: 16.0})
    assert (found.smallest, found.largest) == (0.0, 2.0)
    # Least squares by hand: x = 0 1 2 3, y = 0 0 2 4.
    assert found.exponent == pytest.approx((-1.5 * 0 - 0.5 * 0 + 0.5 * 2 + 1.5 * 4) / 5)


def test_no_growth_of_a_single_length_or_of_nothing():
    assert growth({}) is None and growth({8: 1.0}) is None
    assert growth({8: 0.0, 16: 1.0}) is None
