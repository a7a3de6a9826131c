"""What seeds say, against worked examples and scipy."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lra.results.statistics import (
    binomial_error,
    bootstrap_interval,
    mean,
    paired,
    std,
    t_interval,
)

points = st.lists(st.floats(-50, 50).map(lambda x: round(x, 2)), min_size=2, max_size=5)


def test_mean_and_sample_deviation_of_a_worked_example():
    values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
    assert mean(values) == 5.0 and std(values) == pytest.approx(math.sqrt(32 / 7))
    assert mean([3.0]) == 3.0 and std([3.0]) is None
    assert mean([]) is None and std([]) is None


@pytest.mark.parametrize(("percent", "count"), [(37.0, 2_000), (50.0, 25_000), (99.0, 100)])
def test_the_binomial_error_is_that_of_scipy(percent, count):
    assert binomial_error(percent, count) == pytest.approx(
        100 * stats.binom(count, percent / 100).std() / count
    )


def test_the_bootstrap_of_three_pairs_takes_all_27_resamples():
    """Of 1, 2 and 6: the 2.5 % quantile of 27 means is the least, three ones."""
    means = sorted(sum(pick) / 3 for pick in itertools.product([1, 2, 6], repeat=3))
    assert bootstrap_interval([1, 2, 6]) == (means[0], means[26])
    assert bootstrap_interval([1.0]) is None and bootstrap_interval([]) is None


@pytest.mark.parametrize("n", [6, 8, 20])
def test_the_bootstrap_is_that_of_scipy(n):
    values = np.random.default_rng(n).normal(1, 2, n)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=40_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert bootstrap_interval(list(values)) == pytest.approx(theirs, abs=0.05)


@settings(max_examples=50, deadline=None)
@given(points)
def test_students_interval_is_that_of_scipy(values):
    low, high = t_interval(values)
    if std(values) == 0:
        assert low == high == mean(values)
    else:
        theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(points, st.randoms(use_true_random=False))
def test_the_order_of_pairs_changes_nothing(values, chance):
    shuffled = chance.sample(values, len(values))
    assert bootstrap_interval(shuffled) == bootstrap_interval(values)
    low, high = bootstrap_interval(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


@settings(max_examples=50, deadline=None)
@given(points)
def test_signs_swapped_swap_the_interval(values):
    low, high = bootstrap_interval(values)
    assert bootstrap_interval([-x for x in values]) == pytest.approx((-high, -low), abs=1e-9)


def test_separable_needs_both_intervals():
    """Three gains of one sign never leave it in resamples; Student's interval covers zero."""
    found = paired([0.5, 1.0, 6.0])
    assert found.interval[0] > 0 and t_interval([0.5, 1.0, 6.0])[0] < 0 and not found.separable
    assert paired([2.0, 3.0, 4.0]).separable and paired([-2.0, -3.0, -4.0]).separable
    assert not paired([-1.0, 0.0, 1.0]).separable
    assert not paired([5.0]).separable and not paired([5.0, 5.0]).separable


def test_equal_differences_have_the_deviation_of_one_example_at_least():
    assert paired([0.1] * 3).separable and not paired([0.1] * 3, resolution=0.05).separable
    assert paired([1.0] * 3, resolution=0.05).separable
    half = stats.t.ppf(0.975, 2) * 0.05 / math.sqrt(3)
    assert t_interval([0.1] * 3, 0.05) == pytest.approx((0.1 - half, 0.1 + half))
    nothing = paired([])
    assert (nothing.n, nothing.mean, nothing.interval) == (0, None, None)
